//! What a provider owes and when: a pure state machine.
//!
//! Spec: claims, 3.8 to 3.11; game, 4.3, 4.4.

use std::collections::BTreeMap;

use selfsame_agent::Table;
use selfsame_chain::bindings::Requests::{RequestsEvents, Terms};
use selfsame_chain::{Address, B256, Bytes, Event, U256};

/// Which requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Least price, wei.
    pub price_min: U256,
    /// Largest value at risk, wei.
    pub value_at_risk_max: U256,
}

impl Default for Policy {
    /// Every request.
    fn default() -> Self {
        Self {
            price_min: U256::ZERO,
            value_at_risk_max: U256::MAX,
        }
    }
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Check model and input, then accept.
    Accept(B256),
    /// Run and claim.
    Claim(B256),
    /// Answer in this game if its cursor is closed.
    Defend {
        /// The request.
        request: B256,
        /// The game.
        game: B256,
    },
    /// The window is over: make the claim final.
    Finalize(B256),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Requested,
    Accepted,
    Claimed { key: B256, closes_at: u64 },
    Ended,
}

/// One request that names this provider.
#[derive(Debug, Clone)]
pub struct Job {
    /// What was asked.
    pub terms: Terms,
    /// The input's bytes, where they are on chain.
    pub input: Bytes,
    stage: Stage,
    declined: bool,
}

/// The provider's jobs and the games on its claims.
#[derive(Debug, Clone)]
pub struct Duties {
    own: Address,
    policy: Policy,
    jobs: BTreeMap<B256, Job>,
    table: Table,
}

impl Duties {
    /// No jobs yet.
    pub fn new(own: Address, policy: Policy) -> Self {
        Self {
            own,
            policy,
            jobs: BTreeMap::new(),
            table: Table::default(),
        }
    }

    /// Forgets what events told: after a reorganisation all that stand are told again.
    pub fn start_over(&mut self) {
        self.jobs.clear();
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
            RequestsEvents::Requested(e) if e.provider == self.own => {
                self.jobs.entry(e.requestId).or_insert_with(|| Job {
                    terms: e.terms.clone(),
                    input: e.input.clone(),
                    stage: Stage::Requested,
                    declined: false,
                });
            }
            RequestsEvents::Accepted(e) => self.advance(e.requestId, Stage::Accepted),
            RequestsEvents::Claimed(e) => {
                let closes_at = u64::try_from(e.closesAt).unwrap_or(u64::MAX);
                self.advance(
                    e.requestId,
                    Stage::Claimed {
                        key: e.claimKey,
                        closes_at,
                    },
                );
            }
            RequestsEvents::Finalized(e) => self.advance(e.requestId, Stage::Ended),
            RequestsEvents::Refunded(e) => self.advance(e.requestId, Stage::Ended),
            RequestsEvents::ClaimConvicted(e) => self.advance(e.requestId, Stage::Ended),
            RequestsEvents::Requested(_)
            | RequestsEvents::Credited(_)
            | RequestsEvents::Withdrawn(_) => {}
        }
    }

    fn advance(&mut self, request: B256, stage: Stage) {
        if let Some(job) = self.jobs.get_mut(&request) {
            job.stage = stage;
        }
    }

    /// A job, if it names this provider.
    pub fn job(&self, request: B256) -> Option<&Job> {
        self.jobs.get(&request)
    }

    /// Games as seen so far.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Leaves a request alone from now on (its model or input is not to be had, or was refused).
    pub fn decline(&mut self, request: B256) {
        if let Some(job) = self.jobs.get_mut(&request) {
            job.declined = true;
        }
    }

    /// What is due at time `now` (Unix seconds).
    pub fn due(&self, now: u64) -> Vec<Command> {
        let mut due = Vec::new();
        for (&request, job) in &self.jobs {
            match job.stage {
                Stage::Requested
                    if !job.declined && self.takes(job) && now <= job.terms.acceptBy =>
                {
                    due.push(Command::Accept(request));
                }
                Stage::Accepted if !job.declined && now <= job.terms.answerBy => {
                    due.push(Command::Claim(request));
                }
                Stage::Claimed { key, closes_at } => {
                    let games = self.table.live_on(key);
                    if games.is_empty() && closes_at < now {
                        due.push(Command::Finalize(request));
                    }
                    due.extend(
                        games
                            .into_iter()
                            .map(|game| Command::Defend { request, game }),
                    );
                }
                Stage::Requested | Stage::Accepted | Stage::Ended => {}
            }
        }
        due
    }

    fn takes(&self, job: &Job) -> bool {
        self.policy.price_min <= job.terms.price
            && job.terms.valueAtRisk <= self.policy.value_at_risk_max
    }
}

#[cfg(test)]
mod tests {
    use selfsame_chain::bindings::Requests;

    use super::*;

    const OWN: Address = Address::repeat_byte(7);
    const ID: B256 = B256::repeat_byte(1);

    fn terms(price: u64) -> Terms {
        Terms {
            provider: OWN,
            leastLevel: 4,
            price: U256::from(price),
            acceptBy: 100,
            answerBy: 200,
            window: 60,
            ..Terms::default()
        }
    }

    fn requested(price: u64, provider: Address) -> Event {
        Event::Requests(RequestsEvents::Requested(Requests::Requested {
            requestId: ID,
            requester: Address::ZERO,
            provider,
            terms: terms(price),
            input: Bytes::new(),
        }))
    }

    fn accepted() -> Event {
        let bond = U256::ZERO;
        Event::Requests(RequestsEvents::Accepted(Requests::Accepted {
            requestId: ID,
            provider: OWN,
            bond,
        }))
    }

    #[test]
    fn a_request_is_accepted_then_claimed_then_made_final() {
        let mut duties = Duties::new(OWN, Policy::default());
        duties.apply(&requested(5, OWN));
        assert_eq!(duties.due(50), [Command::Accept(ID)]);
        duties.apply(&accepted());
        duties.apply(&requested(5, OWN));
        assert_eq!(duties.due(50), [Command::Claim(ID)]);
        duties.apply(&Event::Requests(RequestsEvents::Claimed(
            Requests::Claimed {
                requestId: ID,
                claimKey: ID,
                claimant: OWN,
                output: Bytes::new(),
                outputRoot: B256::ZERO,
                closesAt: U256::from(300),
            },
        )));
        assert_eq!(duties.due(300), []);
        assert_eq!(duties.due(301), [Command::Finalize(ID)]);
    }

    /// An acceptance that a reorganisation took back is owed again.
    #[test]
    fn nothing_is_remembered_of_a_chain_that_was_reorganised() {
        let mut duties = Duties::new(OWN, Policy::default());
        duties.apply(&requested(5, OWN));
        duties.apply(&accepted());
        duties.start_over();
        assert_eq!(duties.due(50), []);
        duties.apply(&requested(5, OWN));
        assert_eq!(duties.due(50), [Command::Accept(ID)]);
    }

    #[test]
    fn late_cheap_declined_and_foreign_requests_are_left_alone() {
        let policy = Policy {
            price_min: U256::from(5),
            ..Policy::default()
        };
        let fresh = || Duties::new(OWN, policy);
        let mut cheap = fresh();
        cheap.apply(&requested(4, OWN));
        assert_eq!(cheap.due(50), []);
        let mut foreign = fresh();
        foreign.apply(&requested(5, Address::ZERO));
        assert_eq!(foreign.due(50), []);
        let mut late = fresh();
        late.apply(&requested(5, OWN));
        assert_eq!(late.due(101), []);
        late.decline(ID);
        assert_eq!(late.due(50), []);
    }
}
