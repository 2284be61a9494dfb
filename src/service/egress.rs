//! From where requests leave: what the operator has published, for receivers that let in known addresses only.

use ipnet::IpNet;
use serde::Serialize;
use utoipa::ToSchema;

use super::principal::{Identity, Principal, Right};
use super::{Error, Service};
use crate::model::AccountId;

/// To know what every client may.
#[derive(Debug)]
pub enum HasKey {}

impl Right for HasKey {
    fn grant(identity: &Identity) -> Result<AccountId, Error> {
        Ok(identity.account())
    }
}

/// From where requests leave.
#[derive(Debug, Serialize, ToSchema)]
pub struct EgressView {
    /// Addresses, and ranges in CIDR notation, as the operator has published them; none, if nothing was said.
    #[schema(example = json!(["203.0.113.7", "2001:db8::/48"]))]
    pub addresses: Vec<String>,
}

impl Service {
    /// From where requests leave: the same for every account.
    pub fn egress(&self, _who: &Principal<HasKey>) -> EgressView {
        let addresses = self.inner.egress_addresses.iter().map(shown);
        EgressView {
            addresses: addresses.collect(),
        }
    }
}

/// A range of one address is an address.
fn shown(range: &IpNet) -> String {
    if range.prefix_len() == range.max_prefix_len() {
        range.addr().to_string()
    } else {
        range.to_string()
    }
}
