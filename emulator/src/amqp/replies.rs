//! Answers to requests: they come over one link, `$cbs` or `$management`, and the answers go out over another one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use tracker_amqp::{Message, Properties, Value};

use super::{Act, Asked, Node};
use crate::lock::lock;

/// Answers that wait for a client which gives no credit; a client that asks on and on without fetching them loses the oldest.
const MOST_WAITING: usize = 200;

/// Links that the answers of one node may go out by, in one connection.
const MOST_OUTLETS: usize = 1000;

/// The outlets of one node of requests, within one connection. Clones are the same.
///
/// Clients differ in how they say where the answer goes: `reply-to` may be the name of the receiving link, or the address of
/// its target, or absent; then it goes out by the link that was attached last.
#[derive(Clone, Default)]
pub(crate) struct Replies(Arc<Mutex<Vec<Arc<Mutex<Outlet>>>>>);

#[derive(Default)]
struct Outlet {
    link_name: String,
    target: Option<String>,
    waiting: VecDeque<Message>,
    waker: Option<Waker>,
    is_gone: bool,
}

/// The node of a link by which answers go out.
pub(crate) struct ReplyNode(Arc<Mutex<Outlet>>);

impl Replies {
    /// The node for a receiving link that a client asks for. `None`: it has too many of them.
    pub(crate) fn outlet(&self, asked: &Asked<'_>) -> Option<ReplyNode> {
        let mut outlets = lock(&self.0);
        outlets.retain(|outlet| !lock(outlet).is_gone);
        if outlets.len() >= MOST_OUTLETS {
            return None;
        }
        let outlet = Arc::new(Mutex::new(Outlet {
            link_name: asked.attach.name.clone(),
            target: asked.attach.target.as_ref().and_then(|target| target.address.clone()),
            ..Outlet::default()
        }));
        outlets.push(Arc::clone(&outlet));
        Some(ReplyNode(outlet))
    }

    /// Sends an answer to a request with these properties; its correlation ID becomes the request's message ID, of the same
    /// type. `false`: the client has no link to get it by.
    pub(crate) fn answer(&self, request: &Properties, mut answer: Message) -> bool {
        answer.properties.correlation_id =
            request.message_id.clone().or_else(|| request.correlation_id.clone());
        answer.properties.to.clone_from(&request.reply_to);
        let outlets = lock(&self.0);
        let reply_to = request.reply_to.as_deref();
        let is_meant = |outlet: &&Arc<Mutex<Outlet>>| {
            let outlet = lock(outlet);
            !outlet.is_gone
                && reply_to
                    .is_some_and(|meant| outlet.link_name == meant || outlet.target.as_deref() == Some(meant))
        };
        let is_there = |outlet: &&Arc<Mutex<Outlet>>| !lock(outlet).is_gone;
        let Some(outlet) = outlets.iter().rfind(is_meant).or_else(|| outlets.iter().rfind(is_there)).cloned()
        else {
            return false;
        };
        drop(outlets);
        let mut outlet = lock(&outlet);
        if outlet.waiting.len() >= MOST_WAITING {
            outlet.waiting.pop_front();
        }
        outlet.waiting.push_back(answer);
        let waker = outlet.waker.take();
        drop(outlet);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl Node for ReplyNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        let mut outlet = lock(&self.0);
        if credit > 0
            && let Some(message) = outlet.waiting.pop_front()
        {
            return Poll::Ready(Act::Send { message: Box::new(message), settled: true, key: 0 });
        }
        outlet.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn ended(&mut self) {
        lock(&self.0).is_gone = true;
    }
}

impl Drop for ReplyNode {
    fn drop(&mut self) {
        lock(&self.0).is_gone = true;
    }
}

/// The application properties that every answer begins with.
pub(crate) fn status(code: i32, description: impl Into<String>) -> Vec<(Value, Value)> {
    let text = |text: &str| Value::String(text.to_owned());
    vec![
        (text("status-code"), Value::Int(code)),
        (text("status-description"), Value::String(description.into())),
    ]
}
