//! How often a schema looks at one value of a payload, at most. That is what makes a schema slow: a few
//! definitions of which each refers twice to the next look 2ⁿ times, and one that refers to itself twice looks
//! twice as often at each level of the payload.
//!
//! Level by level of a payload: which subschemas look at a value there, and how often each. A value has
//! one name, so of the members of different names the worst counts, not their sum: that a tree has
//! a `left` and a `right` costs nothing.

use std::collections::{BTreeMap, HashMap};

use super::Error;
use super::graph::{Graph, Step};
use crate::model::limits::PAYLOAD_DEPTH_MAX;

/// Most looks at one value.
const LOOKS_MAX: u32 = 2_000;
/// Most subschemas within one another, over all levels of a payload: each takes some of the stack.
const HOPS_MAX: u32 = 400;
/// Most steps of this reckoning itself.
const STEPS_MAX: usize = 2_000_000;

/// How often a subschema looks at a value, and within how many others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Load {
    count: u32,
    hops: u32,
}

type Loads = BTreeMap<usize, Load>;

/// The most looks at one value.
pub(super) fn looks(graph: &Graph<'_>) -> Result<u32, Error> {
    let mut reckoning = Reckoning {
        graph,
        ranks: ranks(graph)?,
        steps: 0,
    };
    let mut worst = 0;
    let start = Loads::from([(0, Load { count: 1, hops: 1 })]);
    let mut level = reckoning.settle(&start, &mut worst)?;
    for _ in 0..=PAYLOAD_DEPTH_MAX {
        let next = reckoning.below(&level, &mut worst)?;
        // Only a schema that goes into itself goes on; each level adds to its hops, so it never stays the same.
        if next.is_empty() {
            break;
        }
        level = next;
    }
    Ok(worst)
}

struct Reckoning<'g, 'a> {
    graph: &'g Graph<'a>,
    /// In this order each subschema comes before those that it has look at the same value.
    ranks: Vec<usize>,
    steps: usize,
}

impl Reckoning<'_, '_> {
    /// All that look at a value at which these do, directly or for one of them.
    fn settle(&mut self, first: &Loads, worst: &mut u32) -> Result<Loads, Error> {
        let mut open: BTreeMap<usize, (usize, Load)> = BTreeMap::new();
        for (node, load) in first {
            open.insert(self.ranks[*node], (*node, *load));
        }
        let mut settled = Loads::new();
        let mut looks = 0_u32;
        while let Some((_, (node, load))) = open.pop_first() {
            settled.insert(node, load);
            let subschema = &self.graph.nodes[node];
            looks = looks.saturating_add(load.count.saturating_mul(subschema.weight));
            if looks > LOOKS_MAX || load.hops > HOPS_MAX {
                return Err(Error::TooCostly);
            }
            for (step, to) in &subschema.steps {
                self.steps += 1;
                if *step == Step::Here {
                    let entry = open
                        .entry(self.ranks[*to])
                        .or_insert((*to, Load::default()));
                    let more = load.count.saturating_mul(subschema.factor);
                    entry.1.count = entry.1.count.saturating_add(more);
                    entry.1.hops = entry.1.hops.max(load.hops + 1);
                }
            }
        }
        if self.steps > STEPS_MAX {
            return Err(Error::TooCostly);
        }
        *worst = (*worst).max(looks);
        Ok(settled)
    }

    /// The worst of all values that may be in one at which these look: an element, a field of a name that some
    /// of them know, or of another.
    fn below(&mut self, level: &Loads, worst: &mut u32) -> Result<Loads, Error> {
        let within = Within::of(self.graph, level);
        let mut cases = vec![within.elements.clone()];
        let mut others = within.fields.clone();
        for (_, to, load) in &within.rest {
            add(&mut others, *to, *load);
        }
        cases.push(others);
        let mut below = Loads::new();
        for case in cases {
            self.worsen(&mut below, &case, worst)?;
        }
        for members in within.members.values() {
            let mut case = within.fields.clone();
            self.steps += case.len() + within.rest.len() * members.len();
            for (node, to, load) in &within.rest {
                if members.iter().all(|(knows, ..)| knows != node) {
                    add(&mut case, *to, *load);
                }
            }
            for (_, to, load) in members {
                add(&mut case, *to, *load);
            }
            self.worsen(&mut below, &case, worst)?;
        }
        Ok(below)
    }

    /// Takes of each load the greater one.
    fn worsen(&mut self, below: &mut Loads, case: &Loads, worst: &mut u32) -> Result<(), Error> {
        for (node, load) in self.settle(case, worst)? {
            let entry = below.entry(node).or_default();
            entry.count = entry.count.max(load.count);
            entry.hops = entry.hops.max(load.hops);
        }
        Ok(())
    }
}

/// A look at what is within a value: from where, whose, and how often.
type Look = (usize, usize, Load);

/// What looks at what is within a value.
#[derive(Default)]
struct Within<'a> {
    elements: Loads,
    fields: Loads,
    rest: Vec<Look>,
    members: HashMap<&'a str, Vec<Look>>,
}

impl<'a> Within<'a> {
    fn of(graph: &Graph<'a>, level: &Loads) -> Self {
        let mut within = Self::default();
        for (node, load) in level {
            for (step, to) in &graph.nodes[*node].steps {
                match step {
                    Step::Here => {}
                    Step::Element => add(&mut within.elements, *to, *load),
                    Step::Field => add(&mut within.fields, *to, *load),
                    Step::Rest => within.rest.push((*node, *to, *load)),
                    Step::Member(name) => {
                        let members = within.members.entry(name).or_default();
                        members.push((*node, *to, *load));
                    }
                }
            }
        }
        within
    }
}

/// A look at what is within a value, for each look at the value.
fn add(loads: &mut Loads, to: usize, from: Load) {
    let entry = loads.entry(to).or_default();
    entry.count = entry.count.saturating_add(from.count);
    entry.hops = entry.hops.max(from.hops + 1);
}

/// The rank of each subschema. Refuses those that come back to themselves at the same value.
fn ranks(graph: &Graph<'_>) -> Result<Vec<usize>, Error> {
    let nodes = &graph.nodes;
    let here = |node: usize| {
        let steps = nodes[node].steps.iter();
        steps.filter(|(step, _)| *step == Step::Here)
    };
    let mut waiting = vec![0_usize; nodes.len()];
    for node in 0..nodes.len() {
        for (_, to) in here(node) {
            waiting[*to] += 1;
        }
    }
    let mut free: Vec<usize> = (0..nodes.len())
        .filter(|node| waiting[*node] == 0)
        .collect();
    let mut ranks = vec![usize::MAX; nodes.len()];
    let mut rank = 0;
    while let Some(node) = free.pop() {
        ranks[node] = rank;
        rank += 1;
        for (_, to) in here(node) {
            waiting[*to] -= 1;
            if waiting[*to] == 0 {
                free.push(*to);
            }
        }
    }
    match ranks.iter().position(|rank| *rank == usize::MAX) {
        Some(node) => Err(Error::Endless {
            pointer: nodes[node].pointer.clone(),
        }),
        None => Ok(ranks),
    }
}
