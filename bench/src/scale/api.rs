//! The API server, as its admin sees it.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use super::http::{Answer, Connection};

/// Where the API server is, and who we are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Access {
    /// By the folder of keys that `e2e/cluster/pki` has made.
    ///
    /// # Errors
    /// A file is missing or cannot be used.
    pub fn new(address: SocketAddr, pki: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let file = |name: &str| pki.join(name);
        for root in CertificateDer::pem_file_iter(file("ca.crt")).context("ca.crt")? {
            roots.add(root?)?;
        }
        let chain = CertificateDer::pem_file_iter(file("admin.crt")).context("admin.crt")?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(file("admin.key")).context("admin.key")?;
        let tls = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key)?;
        Ok(Self { address, tls: Arc::new(tls) })
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// There is none.
    pub fn connect(&self) -> Result<Api> {
        let stream = TcpStream::connect(self.address).context("the API server")?;
        stream.set_nodelay(true)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), ServerName::from(self.address.ip()))?;
        let connection = Connection::new(StreamOwned::new(session, stream));
        Ok(Api { connection, host: self.address.to_string() })
    }
}

/// A connection to the API server.
#[derive(Debug)]
pub struct Api {
    connection: Connection<StreamOwned<ClientConnection, TcpStream>>,
    host: String,
}

impl Api {
    /// Creates an object in the collection at `path`; one that is there already stays as it is.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn create(&mut self, path: &str, object: &Value) -> Result<()> {
        let answer = self.send("POST", path, object)?;
        if answer.status == 409 { Ok(()) } else { accepted(&answer, path) }
    }

    /// Replaces the object at `path`.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn replace(&mut self, path: &str, object: &Value) -> Result<()> {
        accepted(&self.send("PUT", path, object)?, path)
    }

    /// Deletes the object at `path`.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn delete(&mut self, path: &str) -> Result<()> {
        accepted(&self.send("DELETE", path, &Value::Null)?, path)
    }

    /// What is at `path`.
    ///
    /// # Errors
    /// There is nothing, or no JSON.
    pub fn get(&mut self, path: &str) -> Result<Value> {
        let answer = self.send("GET", path, &Value::Null)?;
        accepted(&answer, path)?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn send(&mut self, method: &str, path: &str, object: &Value) -> Result<Answer> {
        let body = if object.is_null() { Vec::new() } else { serde_json::to_vec(object)? };
        self.connection.send(method, &self.host, path, &body).with_context(|| format!("{method} {path}"))
    }
}

fn accepted(answer: &Answer, path: &str) -> Result<()> {
    if !(200..300).contains(&answer.status) {
        bail!("{path}: the API server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(())
}
