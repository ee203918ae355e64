//! The server: an alloy client, CORS, limits, interval mode, stopping.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use alloy_network::EthereumWallet;
use alloy_primitives::{Bytes, U256, hex};
use alloy_provider::network::TransactionBuilder;
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, TransactionRequest};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::sol;
use common::{CELL, REVERTER, creation, word};
use selfsame_devnet::config::Mining;
use selfsame_devnet::{BODY_BYTES_MAX, Config, Devnet, StartError, dev_address, dev_key};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

sol! {
    #[derive(Debug, PartialEq)]
    error TooSmall(uint256 have, uint256 want);
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn client(devnet: &Devnet) -> impl Provider + Clone + use<> {
    client_of(devnet, 0)
}

fn client_of(devnet: &Devnet, index: usize) -> impl Provider + Clone + use<> {
    let signer = PrivateKeySigner::from_bytes(&dev_key(index)).unwrap();
    // Another crate of the workspace may turn TLS on without a provider; an error means that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = devnet.url.parse().unwrap();
    let client = ProviderBuilder::new()
        .wallet(EthereumWallet::from(signer))
        .connect_http(url);
    client.client().set_poll_interval(Duration::from_millis(5));
    client
}

#[test]
fn an_alloy_client_deploys_sends_and_reads() {
    let devnet = Devnet::start(Config::default()).unwrap();
    block_on(async {
        let client = client(&devnet);
        assert_eq!(client.get_chain_id().await.unwrap(), 1337);
        let deploy = TransactionRequest::default().with_deploy_code(creation(CELL));
        let receipt = client
            .send_transaction(deploy)
            .await
            .unwrap()
            .get_receipt()
            .await
            .unwrap();
        let cell = receipt.contract_address.unwrap();
        assert_eq!(client.get_code_at(cell).await.unwrap().as_ref(), CELL);
        for value in 1..=3_u64 {
            let write = TransactionRequest::default()
                .with_to(cell)
                .with_input(word(value));
            let sent = client.send_transaction(write).await.unwrap();
            let receipt = sent.get_receipt().await.unwrap();
            assert!(receipt.status());
            assert_eq!(receipt.logs().len(), 1);
        }
        let read = TransactionRequest::default().with_to(cell);
        let value = client.call(read.clone()).await.unwrap();
        assert_eq!(U256::from_be_slice(&value), U256::from(3));
        let old = client
            .call(read)
            .block(BlockNumberOrTag::Number(2).into())
            .await
            .unwrap();
        assert_eq!(U256::from_be_slice(&old), U256::from(1));
        let logs = client
            .get_logs(&Filter::new().address(cell).from_block(0))
            .await
            .unwrap();
        assert_eq!(logs.len(), 3);
        assert_eq!(logs[2].topics()[0], word(3).as_slice());
        let block = client
            .get_block_by_number(BlockNumberOrTag::Latest)
            .full()
            .await
            .unwrap();
        let block = block.unwrap();
        assert_eq!(
            block.header.inner.hash_slow(),
            block.header.hash,
            "the header rehashes"
        );
        assert_eq!(block.transactions.len(), 1);
    });
}

#[test]
fn an_alloy_client_decodes_a_custom_error_from_call_and_from_send() {
    let devnet = Devnet::start(Config::default()).unwrap();
    block_on(async {
        let client = client(&devnet);
        let deploy = TransactionRequest::default().with_deploy_code(creation(REVERTER));
        let receipt = client
            .send_transaction(deploy)
            .await
            .unwrap()
            .get_receipt()
            .await
            .unwrap();
        let error = TooSmall {
            have: U256::from(1),
            want: U256::from(2),
        };
        let request = TransactionRequest::default()
            .with_to(receipt.contract_address.unwrap())
            .with_input(alloy_sol_types::SolError::abi_encode(&error));
        let called = client.call(request.clone()).await.unwrap_err();
        let decoded = called
            .as_error_resp()
            .unwrap()
            .as_decoded_error::<TooSmall>();
        assert_eq!(decoded, Some(error));
        let sent = client.send_transaction(request).await.unwrap_err();
        assert!(
            sent.as_error_resp()
                .unwrap()
                .as_decoded_error::<TooSmall>()
                .is_some()
        );
    });
}

#[test]
fn ten_senders_at_once_all_arrive() {
    let devnet = Devnet::start(Config::default()).unwrap();
    block_on(async {
        let mut sends = tokio::task::JoinSet::new();
        for index in 0..10 {
            let client = client_of(&devnet, index);
            sends.spawn(async move {
                for _ in 0..5 {
                    let request = TransactionRequest::default()
                        .with_to(dev_address(5))
                        .with_value(U256::from(1));
                    let sent = client.send_transaction(request).await.unwrap();
                    assert!(sent.get_receipt().await.unwrap().status());
                }
            });
        }
        while let Some(sent) = sends.join_next().await {
            sent.unwrap();
        }
    });
    assert_eq!(devnet.chain().height(), 50);
    assert!((0..10).all(|index| devnet.chain().nonce(dev_address(index)) == 5));
}

/// Sends raw HTTP and returns the whole answer; the connection is closed after it.
fn exchange(devnet: &Devnet, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(devnet.address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    // The server may answer and close before a body that is too long has been sent whole.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_web_page_may_ask() {
    let devnet = Devnet::start(Config::default()).unwrap();
    let preflight = exchange(
        &devnet,
        "OPTIONS / HTTP/1.1\r\nOrigin: http://a.example",
        b"",
    );
    assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
    assert!(preflight.contains("access-control-allow-origin: *"));
    assert!(preflight.contains("access-control-allow-methods: POST, OPTIONS"));
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let answer = exchange(&devnet, "POST / HTTP/1.1\r\nContent-Type: text/plain", body);
    assert!(
        answer.contains("access-control-allow-origin: *"),
        "{answer}"
    );
    assert!(answer.ends_with(r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#));
    assert!(exchange(&devnet, "GET / HTTP/1.1", b"").starts_with("HTTP/1.1 405"));
}

#[test]
fn a_body_beyond_the_limit_gets_a_json_error() {
    let devnet = Devnet::start(Config::default()).unwrap();
    let body = vec![b' '; BODY_BYTES_MAX];
    let answer = exchange(&devnet, "POST / HTTP/1.1", &body);
    assert!(
        answer.contains("-32700"),
        "at the limit it is read: {answer}"
    );
    let mut stream = TcpStream::connect(devnet.address).unwrap();
    let length = BODY_BYTES_MAX + 1;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413", "refused before it was sent");
}

#[test]
fn interval_mode_makes_empty_blocks() {
    let mining = Mining::Interval(Duration::from_millis(5));
    let devnet = Devnet::start(Config {
        mining,
        ..Config::default()
    })
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while devnet.chain().height() < 3 {
        assert!(Instant::now() < deadline, "no block in 30 s");
        std::thread::yield_now();
    }
    block_on(async {
        let client = client(&devnet);
        let request = TransactionRequest::default()
            .with_to(dev_address(1))
            .with_value(U256::from(1));
        let sent = client.send_transaction(request).await.unwrap();
        let receipt = sent
            .with_required_confirmations(3)
            .get_receipt()
            .await
            .unwrap();
        assert!(receipt.status());
    });
}

#[test]
fn a_taken_port_is_named_and_a_dropped_chain_frees_its_own() {
    let devnet = Devnet::start(Config::default()).unwrap();
    let port = devnet.address.port();
    let error = Devnet::start(Config {
        port,
        ..Config::default()
    })
    .unwrap_err();
    assert!(matches!(error, StartError::Listen { port: p, .. } if p == port));
    let address = devnet.address;
    drop(devnet);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn it_starts_and_stops_inside_another_runtime() {
    block_on(async {
        let devnet = Devnet::start(Config::default()).unwrap();
        assert_eq!(client(&devnet).get_block_number().await.unwrap(), 0);
        drop(devnet);
    });
}

#[test]
fn a_raw_transaction_with_odd_hex_is_an_error_not_a_panic() {
    let devnet = Devnet::start(Config::default()).unwrap();
    block_on(async {
        let raw = Bytes::from(hex!("02c0"));
        let error = client(&devnet)
            .send_raw_transaction(&raw)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("does not decode"), "{error}");
    });
}
