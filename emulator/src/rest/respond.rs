//! A request to its answer: which service is meant, who asks, and what that service says.

use super::{
    answer::Answer,
    authorize::{self, Service},
    call::Call,
    device, dps, hub,
};
use crate::dps::Dps;

/// Answers one request.
pub(super) async fn respond(services: &Dps, call: &Call) -> Answer {
    if let Some(answer) = device::respond(services, call) {
        return answer;
    }
    let now = services.clock().now();
    if let Some(owner) = device::owner(services, call) {
        let caller = match owner {
            Ok(caller) => caller,
            Err(refusal) => return refusal.answer(now),
        };
        if let Service::Hub(hub) = &caller.service {
            let answer = hub::respond(hub, &caller, call).await;
            return answer.unwrap_or_else(|refusal| refusal.answer(now));
        }
    }
    match authorize::identify(services, call, dps::knows(call)) {
        Ok(caller) => match &caller.service {
            Service::Dps => {
                dps::respond(services, &caller, call).unwrap_or_else(|refusal| refusal.answer(now))
            }
            Service::Hub(hub) => {
                hub::respond(hub, &caller, call).await.unwrap_or_else(|refusal| refusal.answer(now))
            }
        },
        Err(unknown) => {
            tracing::debug!(host = call.host(), reason = %unknown.reason, "a service client was refused");
            if unknown.asks_dps {
                dps::DpsRefusal::unauthorized(&unknown.reason).answer(now)
            } else {
                hub::HubRefusal::unauthorized(&unknown.reason).answer(now)
            }
        }
    }
}
