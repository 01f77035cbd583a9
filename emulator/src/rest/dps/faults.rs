//! Faults by REST, an addition of ours.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /faults` | | 200 `[fault with "id"]` |
//! | `POST /faults` | fault | 200 fault with `"id"` |
//! | `DELETE /faults` | | 204, none is in force any more |
//! | `DELETE /faults/{id}` | | 204 |
//!
//! A fault: `{"service":"dps" | "hubs" | "{host name of a hub}", "device":"…", "times":3, "fault":"…", …}`; without
//! `device` it strikes all, without `times` until it is cleared. See `FaultKind` for the kinds and their members.

use serde_json::json;

use super::DpsRefusal;
use crate::{
    faults::{Fault, FaultId, Faults},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn list(faults: &Faults) -> Answer {
    let shown: Vec<_> = faults.list().iter().map(|(id, fault)| show(*id, fault)).collect();
    answer::json(200, &shown)
}

pub(super) fn inject(faults: &Faults, call: &Call) -> Result<Answer, DpsRefusal> {
    let fault: Fault = serde_json::from_slice(&call.body)
        .map_err(|error| DpsRefusal::bad_request(format!("the body is not a fault: {error}")))?;
    fault.check().map_err(DpsRefusal::bad_request)?;
    let id = faults.inject(fault.clone());
    Ok(answer::json(200, &show(id, &fault)))
}

pub(super) fn clear_all(faults: &Faults) -> Answer {
    faults.clear_all();
    answer::no_content()
}

pub(super) fn clear(faults: &Faults, id: &str) -> Result<Answer, DpsRefusal> {
    if id.parse().is_ok_and(|id| faults.clear(FaultId::from_number(id))) {
        return Ok(answer::no_content());
    }
    Err(DpsRefusal { code: 404_000, message: format!("no fault \"{id}\" is in force") })
}

fn show(id: FaultId, fault: &Fault) -> serde_json::Value {
    let mut shown = json!(fault);
    shown["id"] = id.number().into();
    shown
}
