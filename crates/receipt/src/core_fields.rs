//! The signed core: every field of the final product, absent ones zero.
//!
//! One table gives the struct, its EIP-712 type string, its words and its JSON form, so that the
//! order exists once. Spec: receipts, 5.2.

use alloc::string::String;

use selfsame_protocol::Hash;

use crate::Address;
use crate::json::{Field, JsonError, Object};

/// The version of the core that this crate writes and reads.
pub const RECEIPT_VERSION: u16 = 1;

macro_rules! core_fields {
    ($first_solidity:literal $first_json:literal $first:ident: $first_kind:ty = $first_doc:literal;
     $($solidity:literal $json:literal $name:ident: $kind:ty = $doc:literal;)+) => {
        /// What a provider signs. Times in Unix seconds, amounts in wei.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Core {
            #[doc = $first_doc]
            pub $first: $first_kind,
            $(#[doc = $doc] pub $name: $kind,)+
        }

        impl Core {
            /// The EIP-712 type.
            pub const TYPE: &'static str = concat!(
                "Receipt(", $first_solidity, " ", $first_json,
                $(",", $solidity, " ", $json,)+ ")"
            );

            /// Names of the fields in the JSON form, in order.
            pub const FIELDS: &'static [&'static str] = &[$first_json, $($json),+];

            /// The fields as 32-byte words, in order.
            pub fn words(&self) -> [[u8; 32]; Self::FIELDS.len()] {
                [self.$first.word(), $(self.$name.word()),+]
            }

            pub(crate) fn write(&self, out: &mut String) {
                out.push('{');
                self.$first.write_member(true, $first_json, out);
                $(self.$name.write_member(false, $json, out);)+
                out.push('}');
            }

            pub(crate) fn read(object: &mut Object) -> Result<Self, JsonError> {
                Ok(Self {
                    $first: object.take($first_json)?,
                    $($name: object.take($json)?,)+
                })
            }
        }
    };
}

core_fields! {
    "uint16" "version" version: u16 = "Version of the core.";
    "bytes32" "requestId" request_id: Hash = "The request.";
    "bytes32" "claimKey" claim_key: Hash = "The claim on it.";
    "address" "requester" requester: Address = "Who asked.";
    "address" "provider" provider: Address = "Who answered, and signs.";
    "bytes32" "modelId" model_id: Hash = "The model.";
    "bytes32" "rulesId" rules_id: Hash = "The contracts that judge.";
    "bytes32" "dimensionsHash" dimensions_hash: Hash = "Values of the model's symbols; zero for none.";
    "bytes32" "inputRoot" input_root: Hash = "Root of the input.";
    "bytes32" "outputRoot" output_root: Hash = "Root of the output.";
    "bytes32" "traceRoot" trace_root: Hash = "Root of the trace; zero: absent.";
    "address" "asset" asset: Address = "Asset of price and bond; zero: the native one.";
    "uint256" "price" price: u128 = "Price.";
    "uint256" "valueAtRisk" value_at_risk: u128 = "What a wrong answer may cost the requester.";
    "uint256" "bond" bond: u128 = "What the provider loses for a wrong answer.";
    "uint32" "window" window: u32 = "Seconds in which games open.";
    "uint32" "censorshipSeconds" censorship_seconds: u32 = "Least time of censorship that the clocks withstand.";
    "uint8" "availability" availability: u8 = "Where the input is.";
    "uint8" "checkableBy" checkable_by: u8 = "Who could check.";
    "uint64" "blockNumber" block_number: u64 = "The block that the request names.";
    "bytes32" "blockHash" block_hash: Hash = "Its hash.";
    "uint64" "answeredAt" answered_at: u64 = "When the answer was claimed.";
    "bytes32" "parametersHash" parameters_hash: Hash = "Reserved: zero.";
    "bytes32" "toolsHash" tools_hash: Hash = "Reserved: zero.";
    "bytes32" "streamHash" stream_hash: Hash = "Reserved: zero.";
    "bytes32" "policyHash" policy_hash: Hash = "Reserved: zero.";
    "bytes32" "previousReceipt" previous_receipt: Hash = "Reserved: zero.";
}
