//! `selfsame claims`: every request and claim of the set, and where it stands.

use std::collections::BTreeMap;

use selfsame_chain::bindings::DisputeGame::DisputeGameEvents;
use selfsame_chain::bindings::Requests::RequestsEvents;
use selfsame_chain::{B256, Event, Logged, Set};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::network::{ChainArgs, block_on, chain};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::Table;
use crate::wei;

/// Arguments of `claims`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First block to look at.
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    from_block: u64,
    #[command(flatten)]
    chain: ChainArgs,
}

/// One request as its events tell it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct ClaimRow {
    /// The request.
    pub(crate) request_id: String,
    /// The claim on it.
    pub(crate) claim_key: Option<String>,
    /// Where it stands: requested, accepted, claimed, final, refunded or convicted.
    pub(crate) status: &'static str,
    model_id: String,
    requester: String,
    provider: String,
    price_wei: String,
    output_root: Option<String>,
    /// Unix seconds: last moment in which games open.
    pub(crate) closes_at: Option<u64>,
    /// Games opened on the claim.
    games: usize,
}

#[expect(clippy::struct_field_names, reason = "the schema names the field")]
#[derive(Debug, Serialize)]
struct Claims {
    chain_id: u64,
    block: u64,
    timestamp: u64,
    claims: Vec<ClaimRow>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let claims = block_on(async {
        let set = args.chain.set().await?;
        let head = set.client().block(None).await.map_err(chain)?;
        Ok(Claims {
            chain_id: set.client().chain_id(),
            block: head.number,
            timestamp: head.timestamp,
            claims: list(&set, args.from_block, head.number).await?,
        })
    })?;
    output.report(&claims);
    Ok(Exit::Ok)
}

/// The requests of a range of blocks, in the order in which they were made.
pub(crate) async fn list(set: &Set, from: u64, to: u64) -> Outcome<Vec<ClaimRow>> {
    let events = set.events(from, to).await.map_err(chain)?;
    let mut rows: Vec<ClaimRow> = Vec::new();
    let mut places: BTreeMap<B256, usize> = BTreeMap::new();
    for Logged { event, .. } in &events {
        match event {
            Event::Requests(event) => apply(event, &mut rows, &mut places),
            Event::Games(DisputeGameEvents::GameOpened(e)) => {
                if let Some(row) = row(e.requestId, &mut rows, &places) {
                    row.games += 1;
                }
            }
            Event::Games(_) | Event::Models(_) | Event::Stakes(_) => {}
        }
    }
    Ok(rows)
}

fn row<'a>(
    request: B256,
    rows: &'a mut [ClaimRow],
    places: &BTreeMap<B256, usize>,
) -> Option<&'a mut ClaimRow> {
    rows.get_mut(*places.get(&request)?)
}

fn apply(event: &RequestsEvents, rows: &mut Vec<ClaimRow>, places: &mut BTreeMap<B256, usize>) {
    let mut mark = |request: B256, status: &'static str| {
        if let Some(row) = row(request, rows, places) {
            row.status = status;
        }
    };
    match event {
        RequestsEvents::Requested(e) => {
            places.insert(e.requestId, rows.len());
            rows.push(ClaimRow {
                request_id: e.requestId.to_string(),
                status: "requested",
                model_id: e.terms.modelId.to_string(),
                requester: e.requester.to_string(),
                provider: e.provider.to_string(),
                price_wei: e.terms.price.to_string(),
                ..ClaimRow::default()
            });
        }
        RequestsEvents::Accepted(e) => mark(e.requestId, "accepted"),
        RequestsEvents::Claimed(e) => {
            mark(e.requestId, "claimed");
            if let Some(row) = row(e.requestId, rows, places) {
                row.claim_key = Some(e.claimKey.to_string());
                row.output_root = Some(e.outputRoot.to_string());
                row.closes_at = u64::try_from(e.closesAt).ok();
            }
        }
        RequestsEvents::Finalized(e) => mark(e.requestId, "final"),
        RequestsEvents::Refunded(e) => mark(e.requestId, "refunded"),
        RequestsEvents::ClaimConvicted(e) => mark(e.requestId, "convicted"),
        RequestsEvents::Credited(_) | RequestsEvents::Withdrawn(_) => {}
    }
}

impl Report for Claims {
    fn command(&self) -> &'static str {
        "claims"
    }

    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&[
            "request", "status", ">ether", "provider", "window", ">games",
        ]);
        for row in &self.claims {
            let window = row.closes_at.map_or(String::new(), |closes| {
                match closes.checked_sub(self.timestamp) {
                    Some(left) => format!("{left} s left"),
                    None => "over".to_owned(),
                }
            });
            table.row([
                row.request_id.clone(),
                row.status.to_owned(),
                row.price_wei
                    .parse()
                    .map_or_else(|_| row.price_wei.clone(), wei::ether),
                row.provider.clone(),
                window,
                row.games.to_string(),
            ]);
        }
        format!(
            "{}  {} on chain {}, block {}\n{}",
            paint.bold("requests"),
            self.claims.len(),
            self.chain_id,
            self.block,
            table.render(paint),
        )
    }
}
