//! Real proxies, each a process of the story's own on loopback: tinyproxy (HTTP) and microsocks (SOCKS5), with a user
//! and a password or without.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::before_hanging;

/// Who may use a proxy that does not take everybody.
pub const USER: &str = "mover";
/// What proves it.
pub const PASSWORD: &str = "of-the-proxy-s3cret";

/// What is spoken with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP, by tinyproxy.
    Http,
    /// SOCKS5, by microsocks.
    Socks5,
}

/// Whom a proxy takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Everybody.
    Everybody,
    /// Whoever knows [`USER`] and [`PASSWORD`].
    User,
}

/// A proxy. It ends when it is dropped.
pub struct WayOut {
    speaks: Speaks,
    address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl WayOut {
    /// Starts one, and returns once it takes connections.
    pub async fn start(speaks: Speaks, takes: Takes) -> Self {
        Self::start_at("127.0.0.1", speaks, takes).await
    }

    /// Starts one at this address of loopback.
    pub async fn start_at(host: &str, speaks: Speaks, takes: Takes) -> Self {
        let free = TcpListener::bind((host, 0)).await.expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = match speaks {
            Speaks::Http => tinyproxy(folder.path(), address, takes),
            Speaks::Socks5 => microsocks(address, takes),
        };
        let errors = std::fs::File::create(log(folder.path())).expect("a file");
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("tinyproxy and microsocks are installed: tests/run does it");
        before_hanging("the proxy", async {
            while TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        Self {
            speaks,
            address,
            process,
            folder,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_at(&self.address.ip().to_string())
    }

    /// Its URL under a name.
    pub fn url_at(&self, host: &str) -> String {
        let scheme = match self.speaks {
            Speaks::Http => "http",
            Speaks::Socks5 => "socks5",
        };
        format!("{scheme}://{host}:{}", self.address.port())
    }

    /// Whether it has said that it was asked for a connection with this host and port.
    pub fn was_asked_for(&self, host: &str, port: u16) -> bool {
        let written = ["log", "said"]
            .map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default());
        let asked = match self.speaks {
            Speaks::Http => format!("CONNECT {host}:{port}"),
            Speaks::Socks5 => format!("connected to {host}:{port}"),
        };
        written.iter().any(|text| text.contains(&asked))
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("said")
}

fn tinyproxy(folder: &Path, address: SocketAddr, takes: Takes) -> Command {
    let (host, port) = (address.ip(), address.port());
    let log = folder.join("log");
    let who = match takes {
        Takes::Everybody => String::new(),
        Takes::User => format!("BasicAuth {USER} {PASSWORD}\n"),
    };
    let settings = format!(
        "Port {port}\nListen {host}\nTimeout 60\nLogLevel Info\nLogFile \"{}\"\n{who}",
        log.display()
    );
    let file = folder.join("tinyproxy.conf");
    std::fs::write(&file, settings).expect("written");
    let mut command = Command::new("tinyproxy");
    command.arg("-d").arg("-c").arg(file);
    command
}

fn microsocks(address: SocketAddr, takes: Takes) -> Command {
    let mut command = Command::new("microsocks");
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    command.args(["-i", &host, "-p", &port]);
    if takes == Takes::User {
        command.args(["-u", USER, "-P", PASSWORD]);
    }
    command
}
