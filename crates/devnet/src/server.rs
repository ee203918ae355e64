//! The HTTP server: one POST route, CORS, and a ticker in interval mode.
//!
//! It runs in a thread of its own with its own runtime, so that it can be started from anywhere.
//! At most [`REQUESTS_MAX`] bodies are held at once, each read within [`READ_SECONDS_MAX`].

use crate::chain::Chain;
use crate::config::{Config, Mining};
use crate::rpc;
use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Most request bodies held at once.
pub const REQUESTS_MAX: usize = 64;
/// Longest time for reading a body, in seconds.
pub const READ_SECONDS_MAX: u64 = 10;
/// Longest time for requests in progress once the chain is dropped.
const STOP_MILLISECONDS_MAX: u64 = 500;

/// Why a chain could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any")]
    Listen {
        /// Port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// No thread or runtime.
    #[error("cannot start the server: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A running chain. Dropping it stops the server and forgets the chain.
#[derive(Debug)]
pub struct Devnet {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    chain: Arc<Mutex<Chain>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Devnet {
    /// Starts a chain; it answers as soon as this returns.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let port = config.port;
        let listen = |source| StartError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let mining = config.mining;
        let chain = Arc::new(Mutex::new(Chain::new(config)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("devnet")
            .enable_io()
            .enable_time()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&chain);
        let thread = std::thread::Builder::new()
            .name("devnet".to_owned())
            .spawn(move || {
                if let Mining::Interval(period) = mining {
                    runtime.spawn(tick(Arc::clone(&shared), period));
                }
                runtime.spawn(serve(listener, shared));
                // An error means that the handle is gone, which is the same order.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_timeout(Duration::from_millis(STOP_MILLISECONDS_MAX));
            })?;
        let url = format!("http://{address}");
        Ok(Self {
            url,
            address,
            chain,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The chain itself, for reading and moving it without HTTP. Requests wait while it is held.
    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        rpc::lock(&self.chain)
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the server was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Makes a block at each tick, empty ones too: a client that waits for confirmations goes on.
async fn tick(chain: Arc<Mutex<Chain>>, period: Duration) {
    let period = period.max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let chain = Arc::clone(&chain);
        // A panic while mining leaves the chain as it was; the next tick tries again.
        let _ = tokio::task::spawn_blocking(move || rpc::lock(&chain).mine()).await;
    }
}

#[derive(Clone)]
struct Shared {
    chain: Arc<Mutex<Chain>>,
    permits: Arc<Semaphore>,
}

async fn serve(listener: TcpListener, chain: Arc<Mutex<Chain>>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let shared = Shared {
        chain,
        permits: Arc::new(Semaphore::new(REQUESTS_MAX)),
    };
    let router = Router::new().fallback(handle).with_state(shared);
    // It ends only with the runtime.
    let _ = axum::serve(listener, router).await;
}

async fn handle(State(shared): State<Shared>, request: Request) -> Response<Body> {
    match *request.method() {
        Method::OPTIONS => reply(StatusCode::NO_CONTENT, Vec::new()),
        Method::POST => post(shared, request).await,
        _ => reply(
            StatusCode::METHOD_NOT_ALLOWED,
            b"send JSON-RPC by POST\n".to_vec(),
        ),
    }
}

async fn post(shared: Shared, request: Request) -> Response<Body> {
    let Ok(permit) = shared.permits.clone().acquire_owned().await else {
        return reply(StatusCode::SERVICE_UNAVAILABLE, Vec::new());
    };
    // An announced length is refused before the body is sent.
    if (rpc::BODY_BYTES_MAX as u64) < request.body().size_hint().lower() {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, rpc::body_too_long());
    }
    let read = to_bytes(request.into_body(), rpc::BODY_BYTES_MAX);
    let body = match tokio::time::timeout(Duration::from_secs(READ_SECONDS_MAX), read).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return reply(StatusCode::PAYLOAD_TOO_LARGE, rpc::body_too_long()),
        Err(_) => return reply(StatusCode::REQUEST_TIMEOUT, Vec::new()),
    };
    let chain = shared.chain;
    let answered = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        rpc::respond(&chain, &body)
    });
    let answer = answered.await.unwrap_or_else(|_| {
        rpc::failure(rpc::error::RpcError::new(
            rpc::error::INTERNAL,
            "internal error",
        ))
    });
    reply(StatusCode::OK, answer)
}

/// An answer that any web page may read: the keys of this chain are public anyway.
fn reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
