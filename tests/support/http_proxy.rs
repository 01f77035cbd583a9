//! An HTTP proxy (CONNECT) that treats the agent as a test wants it, and the requests that it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How it treats who asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Manner {
    /// Leads on whoever says this as `Proxy-Authorization`, or anybody.
    Leads(Option<&'static str>),
    /// Answers this, and closes.
    Answers(&'static str),
    /// Takes the request, and says nothing.
    Hangs,
}

/// The proxy; ends when dropped, with all that goes through it.
pub struct HttpProxy {
    address: SocketAddr,
    manner: watch::Sender<Manner>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl HttpProxy {
    /// Listens on a free port. Whatever it is asked for, it leads to `target`.
    pub async fn start(target: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manner = watch::Sender::new(manner);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (manners, heads) = (manner.subscribe(), asked.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, target, manners.borrow().clone(), heads.clone()));
            }
        });
        Self { address, manner, asked, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats those who come from now on like this.
    pub fn set(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// The heads of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    target: SocketAddr,
    manner: Manner,
    asked: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    asked.lock().unwrap().push(head.clone());
    let answer = match manner {
        Manner::Hangs => std::future::pending().await,
        Manner::Answers(answer) => answer,
        Manner::Leads(login) => {
            let shown = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
            if login.is_none_or(|login| shown == Some(login)) {
                let mut further = TcpStream::connect(target).await.ok()?;
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
                let _ = copy_bidirectional(&mut stream, &mut further).await;
                return None;
            }
            "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
