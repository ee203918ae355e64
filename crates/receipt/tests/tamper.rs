//! Every field of a receipt, changed one by one, fails the check that is named for it.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

use k256::ecdsa::SigningKey;
use proptest::prelude::*;
use selfsame_protocol::{Hash, Level, keccak256};
use selfsame_receipt::rules::{ChainConstants, SetCode, child_address, set_address};
use selfsame_receipt::{
    ChainEvidence, ChainFacts, ChainStatus, Context, Core, Domain, Evidence, Receipt, Replay,
    claim_key, decode, digest, encode, verify,
};

const OUTPUT: &[u8] = b"\x01\x02\x03";
const INPUT: &[u8] = b"\x04\x05";

fn address_of(key: &SigningKey) -> [u8; 20] {
    let point = key.verifying_key().to_encoded_point(false);
    keccak256(&point.as_bytes()[1..]).0[12..]
        .try_into()
        .unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn sign(receipt: &mut Receipt) {
    let (signature, id) = key()
        .sign_prehash_recoverable(&digest(&receipt.domain, &receipt.core).0)
        .unwrap();
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + id.to_byte();
    receipt
        .evidence
        .retain(|evidence| evidence.kind() != "signature");
    receipt.evidence.insert(0, Evidence::Signature(bytes));
}

fn tile(bytes: &[u8]) -> Hash {
    selfsame_protocol::keccak256_tagged(0, bytes)
}

fn code() -> SetCode {
    SetCode {
        creation_code: vec![0x60, 1, 2],
        child_hashes: vec![Hash([3; 32]); 7],
    }
}

fn constants() -> ChainConstants {
    ChainConstants {
        censorship_seconds: 3600,
        bounty_wei: 5,
        ..ChainConstants::default()
    }
}

/// A whole receipt, what the chain says of it, and a replay.
fn sample() -> (Receipt, ChainFacts, Replay) {
    let rules_id = code().rules_id(&constants());
    let domain = Domain {
        chain_id: 31_337,
        verifying_contract: child_address(set_address(rules_id), 2),
    };
    let provider = address_of(&key());
    let output_root = tile(OUTPUT);
    let core = Core {
        version: 1,
        request_id: Hash([1; 32]),
        claim_key: claim_key(&domain, Hash([1; 32]), provider, output_root),
        requester: [9; 20],
        provider,
        model_id: Hash([2; 32]),
        rules_id,
        input_root: tile(INPUT),
        output_root,
        price: 10_u128.pow(18),
        value_at_risk: 3,
        bond: 4,
        window: 100,
        censorship_seconds: 3600,
        checkable_by: 1,
        block_number: 77,
        block_hash: Hash([8; 32]),
        answered_at: 1234,
        ..Core::default()
    };
    let facts = ChainFacts {
        domain,
        status: ChainStatus::Final,
        claim_key: core.claim_key,
        requester: core.requester,
        provider,
        model_id: core.model_id,
        dimensions_hash: core.dimensions_hash,
        input_root: core.input_root,
        output_root,
        trace_root: Hash([5; 32]),
        price: core.price,
        value_at_risk: core.value_at_risk,
        bond: core.bond,
        window: core.window,
        availability: core.availability,
        answered_at: core.answered_at,
        block: (core.block_number, core.block_hash),
    };
    let replay = Replay {
        model_id: core.model_id,
        dimensions_hash: core.dimensions_hash,
        input_root: core.input_root,
        output_root,
    };
    let chain = ChainEvidence {
        request_id: core.request_id,
        constants: constants(),
    };
    let evidence = vec![
        Evidence::Output(OUTPUT.to_vec()),
        Evidence::Input(INPUT.to_vec()),
        Evidence::Chain(chain),
    ];
    let mut receipt = Receipt {
        domain,
        core,
        evidence,
    };
    sign(&mut receipt);
    (receipt, facts, replay)
}

fn failed(
    receipt: &Receipt,
    facts: Option<&ChainFacts>,
    replay: Option<Replay>,
) -> Option<&'static str> {
    let code = code();
    let context = Context {
        code: Some(&code),
        input: None,
        replay,
        chain: facts.copied(),
    };
    let report = verify(receipt, &context);
    assert_eq!(report.level.is_none(), report.failed().is_some());
    report.failed().map(|check| check.name)
}

/// Changes of each field of the core, and the check that fails when the provider signs the change.
type Tamper = (&'static str, fn(&mut Core), &'static str);
const TAMPERS: &[Tamper] = &[
    ("version", |c| c.version = 2, "format"),
    ("requestId", |c| c.request_id = Hash([9; 32]), "format"),
    ("claimKey", |c| c.claim_key = Hash([9; 32]), "format"),
    ("requester", |c| c.requester = [1; 20], "chain-claim"),
    ("provider", |c| c.provider = [1; 20], "format"),
    ("modelId", |c| c.model_id = Hash([9; 32]), "model-replay"),
    ("rulesId", |c| c.rules_id = Hash([9; 32]), "rules-id"),
    (
        "dimensionsHash",
        |c| c.dimensions_hash = Hash([9; 32]),
        "model-replay",
    ),
    ("inputRoot", |c| c.input_root = Hash([9; 32]), "input-root"),
    ("outputRoot", |c| c.output_root = Hash([9; 32]), "format"),
    ("traceRoot", |c| c.trace_root = Hash([9; 32]), "chain-claim"),
    ("asset", |c| c.asset = [1; 20], "format"),
    ("price", |c| c.price += 1, "chain-claim"),
    ("valueAtRisk", |c| c.value_at_risk += 1, "chain-claim"),
    ("bond", |c| c.bond += 1, "chain-claim"),
    ("window", |c| c.window += 1, "chain-claim"),
    (
        "censorshipSeconds",
        |c| c.censorship_seconds += 1,
        "rules-id",
    ),
    ("availability", |c| c.availability = 1, "chain-claim"),
    ("checkableBy", |c| c.checkable_by = 2, "format"),
    ("blockNumber", |c| c.block_number += 1, "chain-claim"),
    ("blockHash", |c| c.block_hash = Hash([9; 32]), "chain-claim"),
    ("answeredAt", |c| c.answered_at += 1, "chain-claim"),
    (
        "parametersHash",
        |c| c.parameters_hash = Hash([9; 32]),
        "format",
    ),
    ("toolsHash", |c| c.tools_hash = Hash([9; 32]), "format"),
    ("streamHash", |c| c.stream_hash = Hash([9; 32]), "format"),
    ("policyHash", |c| c.policy_hash = Hash([9; 32]), "format"),
    (
        "previousReceipt",
        |c| c.previous_receipt = Hash([9; 32]),
        "format",
    ),
];

/// Spec: receipts, 5.4.
#[test]
fn a_field_changed_after_signing_fails_and_one_signed_anew_fails_the_check_of_its_name() {
    assert_eq!(
        TAMPERS.iter().map(|t| t.0).collect::<Vec<_>>(),
        Core::FIELDS
    );
    let (good, facts, replay) = sample();
    assert_eq!(failed(&good, Some(&facts), Some(replay)), None);
    for (name, tamper, check) in TAMPERS {
        let mut receipt = good.clone();
        tamper(&mut receipt.core);
        let code = code();
        let context = Context {
            code: Some(&code),
            ..Context::default()
        };
        let report = verify(&receipt, &context);
        let failures: Vec<&str> = report
            .checks
            .iter()
            .filter(|check| !check.ok)
            .map(|check| check.name)
            .collect();
        assert!(failures.contains(&"signature"), "{name}: {failures:?}");
        assert_eq!(report.level, None);
        sign(&mut receipt);
        assert_eq!(
            failed(&receipt, Some(&facts), Some(replay)),
            Some(*check),
            "{name}"
        );
    }
}

/// Spec: receipts, 5.1.
#[test]
fn the_level_is_what_the_evidence_supports() {
    let (good, facts, _) = sample();
    let code = code();
    let level = |receipt: &Receipt, context: &Context<'_>| verify(receipt, context).level;
    let none = Context::default();
    assert_eq!(level(&good, &none), Some(Level::Signed));
    let with = |status| Context {
        code: Some(&code),
        chain: Some(ChainFacts { status, ..facts }),
        ..Context::default()
    };
    assert_eq!(
        level(&good, &with(ChainStatus::Claimed)),
        Some(Level::OptimisticOpen)
    );
    assert_eq!(
        level(&good, &with(ChainStatus::Final)),
        Some(Level::OptimisticFinal)
    );
    assert_eq!(level(&good, &with(ChainStatus::Convicted)), None);
    assert_eq!(level(&good, &with(ChainStatus::NoClaim)), None);
    // A chain whose contracts nobody recomputed vouches for nothing.
    let unknown = Context {
        chain: Some(facts),
        ..Context::default()
    };
    assert_eq!(level(&good, &unknown), Some(Level::Signed));
    let mut unsigned = good;
    unsigned.evidence.remove(0);
    assert_eq!(level(&unsigned, &none), None);
}

/// Attack: look-alike deployment.
#[test]
fn look_alike_deployment_fails_the_rules_check() {
    let (mut receipt, facts, replay) = sample();
    receipt.domain.verifying_contract = [6; 20];
    receipt.core.claim_key = claim_key(
        &receipt.domain,
        receipt.core.request_id,
        receipt.core.provider,
        receipt.core.output_root,
    );
    sign(&mut receipt);
    assert_eq!(
        failed(&receipt, Some(&facts), Some(replay)),
        Some("rules-id")
    );
}

#[test]
fn tampered_evidence_fails_the_check_of_its_kind() {
    let (good, facts, replay) = sample();
    let mut receipt = good.clone();
    receipt.evidence[1] = Evidence::Output(b"\x01\x02\x04".to_vec());
    assert_eq!(
        failed(&receipt, Some(&facts), Some(replay)),
        Some("output-root")
    );
    let mut receipt = good.clone();
    receipt.evidence[2] = Evidence::Input(Vec::new());
    assert_eq!(
        failed(&receipt, Some(&facts), Some(replay)),
        Some("input-root")
    );
    let mut receipt = good.clone();
    receipt.evidence[0] = Evidence::Signature([27; 65]);
    assert_eq!(
        failed(&receipt, Some(&facts), Some(replay)),
        Some("signature")
    );
    let wrong = Replay {
        output_root: Hash([1; 32]),
        ..replay
    };
    assert_eq!(
        failed(&good, Some(&facts), Some(wrong)),
        Some("model-replay")
    );
    let at_other_values = Replay {
        dimensions_hash: Hash([1; 32]),
        ..replay
    };
    assert_eq!(
        failed(&good, Some(&facts), Some(at_other_values)),
        Some("model-replay")
    );
}

/// Spec: receipts, 5.5.
#[test]
fn the_file_form_reads_back_and_refuses_unknown_missing_and_repeated_members() {
    let (good, ..) = sample();
    let text = encode(&good);
    assert_eq!(decode(&text), Ok(good));
    let refused = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the file");
        decode(&changed).unwrap_err().to_string()
    };
    assert!(refused("\"window\":", "\"windows\":").contains("missing"));
    assert!(refused("\"window\": 100", "\"window\": 100, \"extra\": 1").contains("unknown"));
    assert!(refused("\"window\": 100", "\"window\": 100, \"window\": 100").contains("repeated"));
    assert!(refused("\"window\": 100", "\"window\": -100").contains("expected"));
    assert!(refused("\"window\": 100", "\"window\": 0100").contains("leading zeros"));
    assert!(refused("\"window\": 100", "\"window\": 4294967296").contains("u32"));
    assert!(refused("\"1000000000000000000\"", "\"01\"").contains("digits"));
    assert!(refused("\"kind\": \"input\"", "\"kind\": \"proof\"").contains("not checkable"));
    assert!(refused("\"kind\": \"input\"", "\"kind\": \"wish\"").contains("none of the known"));
    assert!(refused("\"kind\": \"input\"", "\"kind\": \"output\"").contains("two attachments"));
    assert!(refused("\"evidence\": [", "\"evidence\": [[").contains("expected"));
    assert!(
        decode(&format!("{text}x"))
            .unwrap_err()
            .to_string()
            .contains("end of the file")
    );
    assert!(decode(&"[".repeat(100_000)).is_err());
    let deep = format!("{{\"domain\": {}", "[".repeat(100_000));
    assert!(decode(&deep).unwrap_err().to_string().contains("nesting"));
}

proptest! {
    #[test]
    fn any_text_and_any_change_of_one_byte_is_read_or_refused_without_a_panic(text in ".{0,200}", at: usize, byte in 0x20_u8..0x7f) {
        let _ = decode(&text);
        let (good, ..) = sample();
        let mut bytes = encode(&good).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(receipt) = decode(&String::from_utf8(bytes).unwrap()) {
            let _ = verify(&receipt, &Context::default());
        }
    }
}
