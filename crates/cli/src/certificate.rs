//! The dispute certificate of a program: what a whole game on it can cost at most.

use selfsame_chain::ChainConstants;
use selfsame_dispute::{Clocks, Costs, certify};
use selfsame_ir::CheckedProgram;
use serde::Serialize;

use crate::paint::Paint;
use crate::table::{Table, grouped};

/// One move of the worst game.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MoveRow {
    name: &'static str,
    calldata_bytes: u64,
    gas: u64,
}

/// The bound of a whole game, for reports.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CertificateReport {
    leaf_node: u32,
    leaf_terms: u64,
    leaf_opened_bytes: u64,
    leaf_gas: u64,
    challenger_moves: u32,
    calldata_bytes: u64,
    gas_total: u64,
    clock_seconds: u64,
    window_floor_seconds: u64,
    final_seconds: u64,
    moves: Vec<MoveRow>,
}

/// The certificate of `program` with the clocks of the devnet's rules set.
pub(crate) fn certificate(program: &CheckedProgram) -> CertificateReport {
    let chain = ChainConstants::DEVNET;
    let clocks = Clocks {
        censorship_seconds: chain.censorship_seconds,
        inclusion_seconds: chain.inclusion_seconds,
        macs_per_second: chain.macs_per_second,
        bytes_per_second: chain.bytes_per_second,
        window_min_seconds: chain.window_min_seconds,
    };
    let found = certify(program, &Costs::MEASURED, &clocks);
    let row = |cost: &selfsame_dispute::MoveCost| MoveRow {
        name: cost.name,
        calldata_bytes: cost.calldata,
        gas: cost.gas,
    };
    CertificateReport {
        leaf_node: found.leaf_node,
        leaf_terms: found.leaf_terms,
        leaf_opened_bytes: found.leaf_opened_bytes,
        leaf_gas: found.leaf_gas,
        challenger_moves: found.challenger_moves,
        calldata_bytes: found.calldata_bytes,
        gas_total: found.gas_total,
        clock_seconds: found.clock_seconds,
        window_floor_seconds: found.window_floor_seconds,
        final_seconds: found.final_seconds,
        moves: found.moves.iter().map(row).collect(),
    }
}

impl CertificateReport {
    /// The certificate for people.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&["move of the worst game", ">calldata bytes", ">gas at most"]);
        for row in &self.moves {
            table.row([
                row.name.to_owned(),
                grouped(row.calldata_bytes),
                grouped(row.gas),
            ]);
        }
        format!(
            "{}  at most {} challenger moves, {} gas, {} bytes of calldata; \
             worst leaf node {} ({} terms, {} bytes opened, {} gas)\n  \
             clock of a side {} s, least window {} s, final at the latest after {} s (devnet rules)\n{}",
            paint.bold("dispute certificate"),
            self.challenger_moves,
            grouped(self.gas_total),
            grouped(self.calldata_bytes),
            self.leaf_node,
            grouped(self.leaf_terms),
            grouped(self.leaf_opened_bytes),
            grouped(self.leaf_gas),
            self.clock_seconds,
            self.window_floor_seconds,
            self.final_seconds,
            table.render(paint),
        )
    }
}
