//! A mail server of others: PyPI's `aiosmtpd`, in a process of its own (`tests/clients/python/mailbox.py`, which says
//! how each kind of recipient is treated). It keeps what it is told to tell.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::before_hanging;

/// A mail server.
#[derive(Debug)]
pub struct Mailbox {
    port: u16,
    lines: mpsc::UnboundedReceiver<String>,
    hand: ChildStdin,
    _process: Child,
}

/// A mail as it came out of the server.
#[derive(Debug, Clone)]
pub struct Received {
    /// Who has sent it, by the envelope.
    pub from: String,
    /// Whom it is for.
    pub to: String,
    /// The part for readers of plain text.
    pub text: String,
    /// The part for all others.
    pub html: String,
    headers: Vec<(String, String)>,
}

impl Received {
    /// The value of the only header of this name.
    pub fn header(&self, name: &str) -> &str {
        let named = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        let found: Vec<_> = self.headers.iter().filter(named).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", self.headers);
        &found[0].1
    }

    /// The names of all headers.
    pub fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Mailbox {
    /// One that listens.
    pub async fn open() -> Self {
        let clients = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python");
        assert!(
            clients.join(".venv/installed").exists(),
            "the client libraries are not there: run tests/clients/install"
        );
        let mut process = Command::new(clients.join(".venv/bin/python"))
            .arg(clients.join("mailbox.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the interpreter runs");
        let hand = process.stdin.take().expect("it is piped");
        let out = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(out).lines();
        let port = before_hanging("a mail server that listens", lines.next_line()).await;
        let port = port.expect("it prints").expect("a line");
        // Read as it comes: a server that nobody listens to takes no more mails.
        let (told, read) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _nobody_listens = told.send(line);
            }
        });
        Self {
            port: port.parse().expect("a port"),
            lines: read,
            hand,
            _process: process,
        }
    }

    /// Where it is, as the setting `smtp_url` says it.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// What it tells next.
    async fn told(&mut self) -> Value {
        let line = before_hanging("the mail server to tell something", self.lines.recv());
        let line = line.await.expect("it goes on");
        serde_json::from_str(&line).expect("JSON")
    }

    /// The next mail that it takes.
    pub async fn next(&mut self) -> Received {
        let told = self.told().await;
        let text = |field: &str| told[field].as_str().expect("a text").to_owned();
        assert!(told["refused"].is_null(), "it was refused: {told}");
        let headers = told["headers"].as_array().into_iter().flatten();
        Received {
            from: text("from"),
            to: text("to"),
            text: text("text").replace("\r\n", "\n"),
            html: text("html"),
            headers: headers
                .map(|pair| {
                    let part = |place: usize| pair[place].as_str().expect("a text").to_owned();
                    (part(0), part(1))
                })
                .collect(),
        }
    }

    /// The recipient whom it takes a mail for next, or refuses.
    pub async fn recipient(&mut self) -> String {
        let told = self.told().await;
        told["to"].as_str().expect("a text").to_owned()
    }

    /// Has it answer what it has taken for `hang`.
    pub async fn let_go(&mut self) {
        self.hand.write_all(b"open\n").await.expect("it reads");
    }
}
