//! Direct methods: a hub asks first whether the device can take a call, and calls then.

use std::time::Duration;

use super::{Outgoing, Step, outgoing};
use crate::hub_v5::{
    Abandon, AbandonReason, Correlation, DeviceMessage, Exec, MethodResult, Probe, ProbeAck, ProbeAnswer,
    Ready, RejectReason, Rejected,
};

/// Calls that the device is ready for, or works at.
const MOST: usize = 8;
/// How long a probe may take where it does not say so.
const USUAL_CONNECT: Duration = Duration::from_secs(30);
/// What has less time left than this is not sent: it would come too late.
const LEAST: Duration = Duration::from_secs(1);
/// Longest margin, which is a tenth of the time for the answer.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Calls {
    methods: &'static [&'static str],
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    request: Correlation,
    ready: Correlation,
    name: String,
    /// For the answer, from the call on.
    answer_within: Duration,
    /// The call must come, or the answer leave, until then.
    until: Duration,
    runs: bool,
}

impl Calls {
    pub(super) fn new(methods: &'static [&'static str]) -> Self {
        Self { methods, open: Vec::new() }
    }

    /// When something is given up.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.open.iter().map(|open| open.until).min()
    }

    /// Gives up what was not called in time; what is answered too late nobody hears.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Outgoing> {
        let late = self.open.extract_if(.., |open| open.until <= now);
        late.filter(|open| !open.runs)
            .map(|open| abandon(open.request, open.ready, AbandonReason::ReadyWaitTimeout))
            .collect()
    }

    /// Whether a call can be taken; `ready` is the token for it, if it can.
    pub(super) fn probe(
        &mut self,
        now: Duration,
        request: Correlation,
        ready: Correlation,
        probe: Probe,
        expiry: Option<u32>,
    ) -> Option<Outgoing> {
        if self.open.iter().any(|open| open.request == request) {
            // It was asked before, and is answered.
            return None;
        }
        let connect = expiry.map_or(USUAL_CONNECT, |seconds| Duration::from_secs(seconds.into()));
        if connect < LEAST {
            return None;
        }
        let answer_within = Duration::from_secs(probe.response_timeout_seconds.into());
        let margin = (answer_within / 10).clamp(LEAST, LONGEST_MARGIN);
        let rejected = if !self.methods.contains(&probe.method_name.as_str()) {
            Some(RejectReason::MethodNotFound)
        } else if answer_within <= margin {
            Some(RejectReason::InsufficientTime)
        } else if self.open.len() >= MOST {
            Some(RejectReason::DeviceBusy)
        } else {
            None
        };
        let answer = if let Some(reason) = rejected {
            ProbeAnswer::Rejected(Rejected { reason: reason.into() })
        } else {
            let until = now + connect + answer_within + margin;
            let name = probe.method_name;
            self.open.push(Open { request, ready, name, answer_within, until, runs: false });
            ProbeAnswer::Ready(Ready { ready_id: ready.0.to_vec() })
        };
        let message = DeviceMessage::ProbeAck(ProbeAck { answer: Some(answer) });
        Some(Outgoing { expiry: Some(connect.as_secs() as u32), ..outgoing(request, message) })
    }

    /// A call; one without a probe, or a second one, is passed over.
    pub(super) fn exec(
        &mut self,
        now: Duration,
        request: Correlation,
        exec: Exec,
        expiry: Option<u32>,
    ) -> Option<Step> {
        let is_it =
            |open: &Open| open.request == request && open.ready.0[..] == exec.ready_id[..] && !open.runs;
        let place = self.open.iter().position(is_it)?;
        let open = &mut self.open[place];
        let within = expiry.map_or(open.answer_within, |seconds| Duration::from_secs(seconds.into()));
        if within < LEAST {
            let ready = self.open.swap_remove(place).ready;
            return Some(Step::Publish(abandon(request, ready, AbandonReason::InsufficientTime)));
        }
        open.runs = true;
        open.until = now + within;
        Some(Step::Call { request, name: open.name.clone(), params: exec.params })
    }

    pub(super) fn answer(
        &mut self,
        now: Duration,
        request: Correlation,
        status: i32,
        body: Vec<u8>,
    ) -> Option<Outgoing> {
        let place = self.open.iter().position(|open| open.request == request && open.runs)?;
        let left = self.open.swap_remove(place).until.saturating_sub(now);
        let message = DeviceMessage::Result(MethodResult { status, body });
        let expiry = Some(left.as_secs() as u32);
        (left >= LEAST).then(|| Outgoing { expiry, ..outgoing(request, message) })
    }
}

fn abandon(request: Correlation, ready: Correlation, reason: AbandonReason) -> Outgoing {
    let abandon = Abandon { ready_id: ready.0.to_vec(), reason: reason.into() };
    outgoing(request, DeviceMessage::Abandon(abandon))
}
