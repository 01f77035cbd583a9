//! Faults by REST, an addition of ours.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /faults` | | 200 `[fault with "id"]` |
//! | `POST /faults` | fault | 200 fault with `"id"` |
//! | `DELETE /faults` | | 204, none is in force any more |
//! | `DELETE /faults/{id}` | | 204 |
//! | `GET /faults/history` | | 200 `[strike]`, the newest ten thousand |
//! | `DELETE /faults/history` | | 204; counting begins anew, for chance as well |
//!
//! A fault: `{"service":"dps" | "hubs" | "{host name of a hub}", "device":"…", "times":3, "fault":"…", …}`; without
//! `device` it strikes all, without `times` until it is cleared, with `probability` (0 to 1) now and then. See `FaultKind` for the kinds and their members.

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
    let shown: Vec<_> = faults.list().iter().map(|(id, fault)| show(faults, *id, fault)).collect();
    answer::json(200, &shown)
}

pub(super) fn inject(faults: &Faults, call: &Call) -> Result<Answer, DpsRefusal> {
    let body = call.json().map_err(DpsRefusal::bad_request)?;
    let (id, fault) = faults.inject_json(body).map_err(DpsRefusal::bad_request)?;
    Ok(answer::json(200, &show(faults, id, &fault)))
}

pub(super) fn history(faults: &Faults) -> Answer {
    answer::json(200, &faults.history())
}

pub(super) fn forget_history(faults: &Faults) -> Answer {
    faults.forget_history();
    answer::no_content()
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

fn show(faults: &Faults, id: FaultId, fault: &Fault) -> serde_json::Value {
    let mut shown = json!(fault);
    if let Some(probability) = faults.probability(id) {
        shown["probability"] = probability.into();
    }
    shown["id"] = id.number().into();
    shown
}
