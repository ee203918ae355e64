//! What a watcher looks at and when: a pure state machine.
//!
//! Spec: game, 4.1, 4.10, 4.15.

use std::collections::BTreeMap;

use selfsame_agent::Table;
use selfsame_chain::bindings::Requests::{RequestsEvents, Terms};
use selfsame_chain::{Address, B256, Bytes, Event};

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Re-run the request of this claim and compare.
    Check(B256),
    /// Open a game on this wrong claim.
    Open(B256),
    /// Play on in an own game.
    Play {
        /// The request.
        request: B256,
        /// The game.
        game: B256,
    },
}

/// A claim seen on chain.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was asked.
    pub terms: Terms,
    /// The input's bytes, where they are on chain.
    pub input: Bytes,
    /// The claim, once made.
    pub claim: Option<Claimed>,
    ended: bool,
}

/// The claim itself.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its key.
    pub key: B256,
    /// Root of the claimed output.
    pub output_root: B256,
    /// Last second in which games open.
    pub closes_at: u64,
}

/// Claims and the games on them.
#[derive(Debug, Clone)]
pub struct Rounds {
    own: Address,
    seen: BTreeMap<B256, Seen>,
    /// Whether claims are right, by their keys: another claim on a request has another key.
    verdicts: BTreeMap<B256, bool>,
    table: Table,
    only: Option<B256>,
}

impl Rounds {
    /// Nothing seen yet.
    pub fn new(own: Address) -> Self {
        Self {
            own,
            seen: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            table: Table::default(),
            only: None,
        }
    }

    /// From now on nothing is due for any other request.
    pub fn only(&mut self, request: B256) {
        self.only = Some(request);
    }

    /// Forgets what events told: after a reorganisation all that stand are told again.
    pub fn start_over(&mut self) {
        self.seen.clear();
        self.table = Table::default();
    }

    /// Takes an event in; repeated events change nothing.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Requests(event) => self.apply_request(event),
            Event::Games(event) => self.table.apply(event),
            Event::Models(_) | Event::Stakes(_) => {}
        }
    }

    fn apply_request(&mut self, event: &RequestsEvents) {
        match event {
            RequestsEvents::Requested(e) => {
                self.seen.entry(e.requestId).or_insert_with(|| Seen {
                    terms: e.terms.clone(),
                    input: e.input.clone(),
                    claim: None,
                    ended: false,
                });
            }
            RequestsEvents::Claimed(e) => {
                if let Some(seen) = self.seen.get_mut(&e.requestId) {
                    seen.claim = Some(Claimed {
                        key: e.claimKey,
                        output_root: e.outputRoot,
                        closes_at: u64::try_from(e.closesAt).unwrap_or(u64::MAX),
                    });
                }
            }
            RequestsEvents::Finalized(e) => self.end(e.requestId),
            RequestsEvents::Refunded(e) => self.end(e.requestId),
            RequestsEvents::ClaimConvicted(e) => self.end(e.requestId),
            RequestsEvents::Accepted(_)
            | RequestsEvents::Credited(_)
            | RequestsEvents::Withdrawn(_) => {}
        }
    }

    fn end(&mut self, request: B256) {
        if let Some(seen) = self.seen.get_mut(&request) {
            seen.ended = true;
        }
    }

    /// Keeps the result of a check of the request's claim.
    pub fn checked(&mut self, request: B256, agrees: bool) {
        let claim = self.seen.get(&request).and_then(|seen| seen.claim.as_ref());
        if let Some(claim) = claim {
            self.verdicts.insert(claim.key, agrees);
        }
    }

    /// A request and its claim.
    pub fn seen(&self, request: B256) -> Option<&Seen> {
        self.seen.get(&request)
    }

    /// Games as seen so far.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What is due at time `now` (Unix seconds).
    pub fn due(&self, now: u64) -> Vec<Command> {
        let own = self.table.live_of(self.own);
        let mut due = Vec::new();
        let in_scope = |request: &B256| self.only.is_none_or(|only| only == *request);
        for (&request, seen) in self.seen.iter().filter(|(request, _)| in_scope(request)) {
            let Some(claim) = &seen.claim else { continue };
            let game = own
                .iter()
                .find(|(_, key)| *key == claim.key)
                .map(|&(game, _)| game);
            match (self.verdicts.get(&claim.key).copied(), game) {
                // A conviction by another ends the claim; the own game is still to be settled.
                (_, Some(game)) => due.push(Command::Play { request, game }),
                (None, None) if !seen.ended && now <= claim.closes_at => {
                    due.push(Command::Check(request));
                }
                (Some(false), None) if !seen.ended && now <= claim.closes_at => {
                    due.push(Command::Open(request));
                }
                (None | Some(_), None) => {}
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use selfsame_chain::U256;
    use selfsame_chain::bindings::Requests;

    use super::*;

    const ID: B256 = B256::repeat_byte(1);

    fn terms() -> Terms {
        Terms {
            leastLevel: 4,
            acceptBy: 100,
            answerBy: 200,
            window: 60,
            ..Terms::default()
        }
    }

    fn requested() -> Event {
        Event::Requests(RequestsEvents::Requested(Requests::Requested {
            requestId: ID,
            requester: Address::ZERO,
            provider: Address::ZERO,
            terms: terms(),
            input: Bytes::new(),
        }))
    }

    /// A claim on the request; claims of other outputs have other keys.
    fn claimed(key: u8) -> Event {
        Event::Requests(RequestsEvents::Claimed(Requests::Claimed {
            requestId: ID,
            claimKey: B256::repeat_byte(key),
            claimant: Address::ZERO,
            output: Bytes::new(),
            outputRoot: B256::ZERO,
            closesAt: U256::from(300),
        }))
    }

    fn convicted(key: u8) -> Event {
        Event::Requests(RequestsEvents::ClaimConvicted(Requests::ClaimConvicted {
            requestId: ID,
            claimKey: B256::repeat_byte(key),
            claimant: Address::ZERO,
            slashed: U256::ZERO,
            burned: U256::ZERO,
            compensation: U256::ZERO,
        }))
    }

    /// A liar waits for a reorganisation to claim something else on the request that was found right.
    #[test]
    fn a_claim_that_takes_the_place_of_a_right_one_is_checked_itself() {
        let mut rounds = Rounds::new(Address::ZERO);
        rounds.apply(&requested());
        rounds.apply(&claimed(2));
        assert_eq!(rounds.due(100), [Command::Check(ID)]);
        rounds.checked(ID, true);
        assert_eq!(rounds.due(100), []);
        rounds.start_over();
        rounds.apply(&requested());
        rounds.apply(&claimed(3));
        assert_eq!(rounds.due(100), [Command::Check(ID)]);
        rounds.checked(ID, false);
        assert_eq!(rounds.due(100), [Command::Open(ID)]);
    }

    /// Spec: game, 4.11. A conviction that a reorganisation took back is none.
    #[test]
    fn a_claim_that_is_convicted_no_more_is_challenged_again() {
        let mut rounds = Rounds::new(Address::ZERO);
        rounds.apply(&requested());
        rounds.apply(&claimed(2));
        rounds.checked(ID, false);
        rounds.apply(&convicted(2));
        assert_eq!(rounds.due(100), []);
        rounds.start_over();
        rounds.apply(&requested());
        rounds.apply(&claimed(2));
        assert_eq!(rounds.due(100), [Command::Open(ID)]);
    }
}
