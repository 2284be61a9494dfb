//! What part of an endpoint's limits each node has. The nodes that live share them: each has as many as divide evenly,
//! and of the rest each of the first has one more, in an order that every endpoint has of its own (rendezvous
//! hashing). Of a limit smaller than the number of nodes that many have one, and the others nothing.
//!
//! Nobody is asked, so a node is careful with what it knows: what it knows of the others is good for a few seconds, and
//! without news it has no part at all. Its part shrinks at once. It grows when those that had the rest must know or be
//! dead, and what they had begun is over. A node that has just come has no part until the others have made room. So
//! all parts together are less than what is stated for a while, and never more.

use sha2::{Digest, Sha256};

use crate::model::{EndpointId, IncarnationId, Timestamp};

/// For how long it counts what a node knows of the others, in real time.
const KNOWN_MS: i64 = 5_000;
/// When every node knows what one has seen, or knows nothing.
const SEEN_MS: i64 = 6_000;

/// How long what is limited goes on counting.
#[derive(Debug, Clone, Copy)]
pub struct Handover {
    /// After its node has ended, in milliseconds.
    pub ended_ms: i64,
    /// After a node that lives has less of it, in milliseconds.
    pub shrunk_ms: i64,
}

/// What part of a limit a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// So many.
    pub most: u32,
    /// When it may be more, though nothing happens.
    pub more_at: Option<Timestamp>,
}

/// Who lived until when, as this node has seen it.
#[derive(Debug, Clone)]
struct Seen {
    live: Vec<IncarnationId>,
    until: Timestamp,
}

/// The nodes of an installation, as one of them sees them.
#[derive(Debug)]
pub struct Nodes {
    own: IncarnationId,
    began: Timestamp,
    /// Alone by the nature of its database, or with others that come and go.
    shared: bool,
    /// Whether others lived when it began; `None`: nobody has looked.
    joined: Option<bool>,
    live: Vec<IncarnationId>,
    before: Vec<Seen>,
    looked_at: Timestamp,
}

impl Nodes {
    /// The only node of its database, which began its life at `began`.
    pub fn alone(own: IncarnationId, began: Timestamp) -> Self {
        Self {
            own,
            began,
            shared: false,
            joined: Some(false),
            live: vec![own],
            before: Vec::new(),
            looked_at: began,
        }
    }

    /// A node beside which others may live: see [`see`](Self::see).
    pub fn shared(own: IncarnationId, began: Timestamp) -> Self {
        Self {
            shared: true,
            joined: None,
            live: Vec::new(),
            ..Self::alone(own, began)
        }
    }

    /// These live; it was asked at `asked_at`, in real time. Whether anything is different now.
    pub fn see(&mut self, live: &[IncarnationId], now: Timestamp, asked_at: Timestamp) -> bool {
        let knew = self.knows(asked_at);
        self.looked_at = asked_at;
        if self.joined.is_none() {
            self.joined = Some(live.iter().any(|other| *other != self.own));
        } else if !knew {
            // Whoever came meanwhile may have gone again, and what it has begun goes on.
            self.begin_again(now);
        } else if self.live == live {
            return false;
        } else {
            self.before.push(Seen {
                live: std::mem::take(&mut self.live),
                until: now,
            });
        }
        self.live = live.to_vec();
        // What is older makes no difference to anything.
        let old = now.plus_ms(-OLDEST_MS);
        self.before.retain(|seen| seen.until > old);
        if self.before.len() > BEFORE_MAX {
            self.begin_again(now);
        }
        true
    }

    /// As if this node had just come.
    fn begin_again(&mut self, now: Timestamp) {
        self.before.clear();
        (self.began, self.joined) = (now, Some(true));
    }

    /// Whether what is known of the others still counts.
    pub fn knows(&self, real_now: Timestamp) -> bool {
        !self.shared
            || (self.joined.is_some() && real_now.ms_since(self.looked_at).abs() < KNOWN_MS)
    }

    /// How many live.
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// This node's part of `limit` of the endpoint, as long as it [`knows`](Self::knows) the others.
    pub fn part(
        &self,
        limit: u32,
        endpoint: EndpointId,
        handover: Handover,
        now: Timestamp,
    ) -> Part {
        let seen_ms = if self.shared { SEEN_MS } else { 0 };
        let settled_at = self.settled_at(endpoint, handover).plus_ms(seen_ms);
        if self.joined.is_none() || now < settled_at {
            return Part {
                most: 0,
                more_at: self.joined.is_some().then_some(settled_at),
            };
        }
        let mut part = Part {
            most: self.of(limit, endpoint, &self.live),
            more_at: None,
        };
        for seen in &self.before {
            // Only a death makes a part larger: with one more node nobody has more than before.
            let over_at = seen.until.plus_ms(seen_ms + handover.ended_ms);
            let had = self.of(limit, endpoint, &seen.live);
            if now < over_at && had < part.most {
                part.most = had;
            }
            if now < over_at && had < self.of(limit, endpoint, &self.live) {
                part.more_at = Some(part.more_at.map_or(over_at, |at| at.min(over_at)));
            }
        }
        part
    }

    /// When everything is over that was begun before this node's life; without the time in which others hear of it.
    fn settled_at(&self, endpoint: EndpointId, handover: Handover) -> Timestamp {
        match self.joined {
            Some(true) => self.began.plus_ms(handover.shrunk_ms),
            // Nobody has ever sent anything to an endpoint that was made in this life of the only node.
            _ if self.is_younger(endpoint) => Timestamp::from_ms(i64::MIN / 2),
            _ => self.began.plus_ms(handover.ended_ms),
        }
    }

    fn is_younger(&self, endpoint: EndpointId) -> bool {
        let made = endpoint.uuid().get_timestamp().map(|made| made.to_unix());
        let ms = made.map(|(s, nanos)| s as i64 * 1_000 + i64::from(nanos) / 1_000_000);
        self.before.is_empty() && ms.is_some_and(|ms| ms > self.began.as_ms())
    }

    /// The part of `limit` if these live.
    fn of(&self, limit: u32, endpoint: EndpointId, live: &[IncarnationId]) -> u32 {
        let own = rank(self.own, endpoint);
        let (mut nodes, mut before) = (0, 0);
        let mut lives = false;
        for node in live {
            nodes += 1;
            lives |= *node == self.own;
            before +=
                u32::from(*node != self.own && (rank(*node, endpoint), *node) > (own, self.own));
        }
        if !lives {
            return 0;
        }
        limit / nodes + u32::from(before < limit % nodes)
    }
}

/// Longer than anything that is handed over takes.
const OLDEST_MS: i64 = SEEN_MS + 120_000;
/// Changes that are followed at a time.
const BEFORE_MAX: usize = 64;

/// Whoever has the highest is the first. The same on every node, whatever it was built with.
fn rank(node: IncarnationId, endpoint: EndpointId) -> u64 {
    let mut hash = Sha256::new();
    hash.update(node.uuid());
    hash.update(endpoint.uuid());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}
