//! Which links have something to do: wakers that know their link, so that a connection with a thousand links polls those
//! alone that were woken.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

use tracker_amqp::LinkId;

use crate::lock::lock;

/// The links that were woken, in the order in which they were.
#[derive(Default)]
pub(super) struct Ready(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    woken: VecDeque<Arc<Mark>>,
    /// The task of the connection, while it waits.
    task: Option<Waker>,
}

/// Wakes one link; made once for each.
pub(super) struct Mark {
    link: LinkId,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    pub(super) fn mark(self: &Arc<Self>, link: LinkId) -> Arc<Mark> {
        Arc::new(Mark { link, is_queued: AtomicBool::new(false), ready: Arc::clone(self) })
    }

    /// The next link that was woken. `None`: none was, and the task of `context` is woken when one is.
    pub(super) fn next(&self, context: &Context<'_>) -> Option<LinkId> {
        let mut queue = lock(&self.0);
        if let Some(mark) = queue.woken.pop_front() {
            mark.is_queued.store(false, Ordering::Release);
            return Some(mark.link);
        }
        if !queue.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            queue.task = Some(context.waker().clone());
        }
        None
    }
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let ready = Arc::clone(&self.ready);
        let mut queue = lock(&ready.0);
        queue.woken.push_back(self);
        let task = queue.task.take();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
    }
}
