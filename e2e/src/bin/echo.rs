//! `echo`: the backend of `make run` and of the end-to-end tests.

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    e2e::echo::run(e2e::echo::Options::parse()).await
}
