package main

import (
	"flag"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd serves a store of one member until SIGTERM or SIGINT.
//
// It never waits for the disk: a test cluster that loses its machine has lost
// everything anyway, and a slow disk would only make the tests slow.
func runEtcd(arguments []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	folder := flags.String("data-dir", "", "where the store lives")
	listen := flags.String("listen-client", "http://127.0.0.1:2379", "where clients connect")
	_ = flags.Parse(arguments)

	config, err := etcdConfig(*folder, *listen)
	if err != nil {
		return err
	}
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func etcdConfig(folder, listen string) (*embed.Config, error) {
	client, err := url.Parse(listen)
	if err != nil {
		return nil, err
	}
	// There are no peers; port 0 keeps the fixed default port out of the way.
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}

	config := embed.NewConfig()
	config.Dir = folder
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	// Embedded, the threshold for "slow request" is zero unless set, and then
	// each request is logged as slow.
	config.WarningUnaryRequestDuration = time.Second
	config.LogLevel = "error"
	return config, nil
}
