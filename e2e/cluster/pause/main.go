// Command pause is the process that holds a Pod's namespaces open.
//
// It waits for SIGTERM or SIGINT and leaves at once: a Pod's end waits for it.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}
