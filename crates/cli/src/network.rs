//! What the chain commands share: endpoint, key, guard, dry runs, and errors in our words.

use std::future::Future;
use std::path::PathBuf;
use std::{env, fs};

use selfsame_chain::bindings::Requests;
use selfsame_chain::{
    B256, ChainConstants, ChainError, Child, Client, Deployment, Key, Mined, Preview, Set, U256,
    error_name,
};
use selfsame_devnet::{accounts, dev_key};
use selfsame_protocol::Hash;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Report;
use crate::paint::Paint;
use crate::table::grouped;
use crate::wei;

/// Chains on which the public test keys may be used.
const TEST_CHAINS: [u64; 2] = [1337, 31_337];
/// The environment variable that holds a keystore's password.
const PASSWORD: &str = "SELFSAME_KEYSTORE_PASSWORD";

/// Endpoint and key.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChainArgs {
    /// JSON-RPC endpoint.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    pub(crate) rpc: String,
    /// Encrypted JSON keystore; its password stands in `SELFSAME_KEYSTORE_PASSWORD` or --password-file.
    #[arg(long, value_name = "FILE")]
    keystore: Option<PathBuf>,
    /// File whose first line is the keystore's password.
    #[arg(long, value_name = "FILE", requires = "keystore")]
    password_file: Option<PathBuf>,
    /// One of the ten public test keys, from 0; test chains only.
    #[arg(long, value_name = "N", conflicts_with = "keystore")]
    dev_key: Option<usize>,
    /// Go on only if the endpoint serves this chain.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// Show what would be sent and its gas; send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl ChainArgs {
    fn key(&self) -> Outcome<Option<Key>> {
        if let Some(path) = &self.keystore {
            let password = match (&self.password_file, env::var(PASSWORD)) {
                (Some(file), _) => {
                    let text = fs::read_to_string(file);
                    let text = text.map_err(|error| Failure::file(file, error))?;
                    text.lines().next().unwrap_or_default().to_owned()
                }
                (None, Ok(password)) => password,
                (None, Err(_)) => {
                    let what = format!("the password of {} is not given", path.display());
                    let hint = format!("set {PASSWORD} or give --password-file");
                    return Err(Failure::new(Exit::Guard, what).hint(hint));
                }
            };
            return Key::from_keystore(path, &password).map(Some).map_err(chain);
        }
        match self.dev_key {
            None => Ok(None),
            Some(index) if index < accounts::DEV_ACCOUNTS => dev(index).map(Some),
            Some(index) => {
                let most = accounts::DEV_ACCOUNTS - 1;
                Err(Failure::usage(format!(
                    "--dev-key {index}: there are 0 to {most}"
                )))
            }
        }
    }

    /// Connects, and refuses another chain than the one asked for.
    pub(crate) async fn connect(&self) -> Outcome<Client> {
        let key = self.key()?;
        let client = Client::connect(&self.rpc, self.chain_id, key).await;
        let client = client.map_err(chain)?;
        if self.dev_key.is_some() && !TEST_CHAINS.contains(&client.chain_id()) {
            let what = format!(
                "--dev-key on chain {}: these keys are public",
                client.chain_id()
            );
            return Err(Failure::new(Exit::Guard, what).hint("give --keystore FILE"));
        }
        Ok(client)
    }

    /// Connects to the rules set of this release.
    pub(crate) async fn set(&self) -> Outcome<Set> {
        let client = self.connect().await?;
        let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
        Set::bind(client, deployment).await.map_err(chain)
    }

    /// The same with a key, which is refused if missing.
    pub(crate) async fn set_with_key(&self, call: &'static str) -> Outcome<Set> {
        let set = self.set().await?;
        set.client().key(call).map_err(chain)?;
        Ok(set)
    }
}

/// Test key `index`.
pub(crate) fn dev(index: usize) -> Outcome<Key> {
    Key::from_secret(dev_key(index).0).map_err(chain)
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failure, format!("async runtime: {error}")))?;
    runtime.block_on(future)
}

/// A chain's error with its exit code and what to do next.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
pub(crate) fn chain(error: ChainError) -> Failure {
    const TOO_EARLY: [&str; 4] = ["TooEarly", "StillUnbonding", "GamesOpen", "ClockRuns"];
    match &error {
        ChainError::Url { .. } => Failure::usage(&error),
        ChainError::ChainId { .. } | ChainError::NoKey { .. } | ChainError::ForeignCode { .. } => {
            Failure::new(Exit::Guard, &error)
        }
        ChainError::Key(_) => Failure::new(Exit::Guard, &error)
            .hint("check the keystore file and its password"),
        ChainError::Refused { data, .. } if TOO_EARLY.contains(&error_name(data).as_str()) => {
            Failure::new(Exit::Pending, &error).hint("wait for that time and call again")
        }
        ChainError::Rpc { .. } => Failure::new(Exit::Chain, &error)
            .hint("`selfsame devnet` starts a chain; --rpc names another one"),
        ChainError::NotDeployed { .. } => Failure::new(Exit::Chain, &error)
            .hint("`selfsame publish FILE --deploy` deploys the contracts; the address is the same whoever does"),
        ChainError::Refused { .. }
        | ChainError::Failed { .. }
        | ChainError::NotMined { .. }
        | ChainError::Funds { .. }
        | ChainError::Answer { .. }
        | ChainError::Artifact { .. } => Failure::new(Exit::Chain, &error),
    }
}

/// A hash as a chain's word.
pub(crate) fn word(hash: Hash) -> B256 {
    B256::from(hash.0)
}

/// A 32-byte id on the command line.
pub(crate) fn id(text: &str) -> Result<B256, String> {
    let hash = Hash::from_hex(text);
    hash.map(word)
        .ok_or_else(|| format!("{text:?} is no id: 64 hexadecimal digits, with or without 0x"))
}

/// A transaction that was made, or would be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sent {
    /// The contract's function.
    pub(crate) call: String,
    /// Whether it was sent.
    pub(crate) dry_run: bool,
    /// Contract.
    pub(crate) to: Option<String>,
    /// Hash, once mined.
    pub(crate) transaction: Option<String>,
    /// Block.
    pub(crate) block: Option<u64>,
    /// Gas used, or estimated.
    pub(crate) gas: u64,
    /// Wei sent along.
    pub(crate) value_wei: String,
    /// Wei paid for gas.
    pub(crate) fee_wei: Option<String>,
}

impl Sent {
    /// A mined transaction.
    pub(crate) fn mined(call: &str, value: U256, mined: &Mined) -> Self {
        Self {
            call: call.to_owned(),
            dry_run: false,
            to: None,
            transaction: Some(mined.hash.to_string()),
            block: Some(mined.block),
            gas: mined.gas_used,
            value_wei: value.to_string(),
            fee_wei: Some(mined.fee.to_string()),
        }
    }

    /// What a dry run found.
    pub(crate) fn preview(preview: &Preview) -> Self {
        Self {
            call: preview.call.to_owned(),
            dry_run: true,
            to: Some(preview.to.to_string()),
            transaction: None,
            block: None,
            gas: preview.gas,
            value_wei: preview.value.to_string(),
            fee_wei: None,
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let value = self
            .value_wei
            .parse()
            .map_or_else(|_| self.value_wei.clone(), wei::ether);
        let name = self.call.split('(').next().unwrap_or_default();
        if self.dry_run {
            let to = self.to.as_deref().unwrap_or_default();
            return format!(
                "would send {name} to {to} with {value} ether, about {} gas",
                grouped(self.gas)
            );
        }
        let place = self
            .block
            .map_or(String::new(), |block| format!(" in block {block}"));
        format!(
            "{name}: {} gas, {value} ether sent along{place}",
            grouped(self.gas)
        )
    }
}

/// The report of a command that is a few transactions.
#[expect(clippy::struct_field_names, reason = "the schema names the field")]
#[derive(Debug, Serialize)]
pub(crate) struct Transactions {
    #[serde(skip)]
    command: &'static str,
    /// Each, in order.
    transactions: Vec<Sent>,
    /// The id that it was about, if any.
    id: Option<String>,
}

impl Transactions {
    /// The report of `command`.
    pub(crate) fn new(command: &'static str, id: Option<String>, transactions: Vec<Sent>) -> Self {
        Self {
            command,
            transactions,
            id,
        }
    }
}

impl Report for Transactions {
    fn command(&self) -> &'static str {
        self.command
    }

    fn text(&self, _: Paint) -> String {
        let id = self.id.iter().map(|id| format!("id {id}\n"));
        let lines = self
            .transactions
            .iter()
            .map(|sent| format!("{}\n", sent.line()));
        lines.chain(id).collect()
    }
}

/// Sends a transaction or, in a dry run, says what it would be. Futures that are not awaited do
/// nothing, so exactly one of the two happens.
pub(crate) async fn send(
    args: &ChainArgs,
    value: U256,
    preview: impl Future<Output = Result<Preview, ChainError>>,
    write: impl Future<Output = Result<Mined, ChainError>>,
    call: &'static str,
) -> Outcome<(Sent, Option<Mined>)> {
    if args.dry_run {
        let preview = preview.await.map_err(chain)?;
        return Ok((Sent::preview(&preview), None));
    }
    let mined = write.await.map_err(chain)?;
    Ok((Sent::mined(call, value, &mined), Some(mined)))
}

/// Where a request stands, in a word.
pub(crate) const fn status_word(status: u8) -> &'static str {
    match status {
        1 => "requested",
        2 => "accepted",
        3 => "claimed",
        4 => "final",
        5 => "refunded",
        6 => "convicted",
        _ => "unknown",
    }
}

/// The request's record on chain.
pub(crate) async fn request(set: &Set, id: B256) -> Outcome<Requests::Request> {
    let call = Requests::requestOfCall { requestId: id };
    let record = set.read(Child::Requests, call).await.map_err(chain)?;
    if record.status == 0 {
        let what = format!(
            "there is no request {id} on chain {}",
            set.client().chain_id()
        );
        return Err(Failure::new(Exit::Chain, what).hint("`selfsame claims` lists them"));
    }
    Ok(record)
}
