//! Wakes all links of a device at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    task::{Wake, Waker},
};

use crate::lock::lock;

/// Those who want to be woken, by number.
#[derive(Debug, Default)]
pub(super) struct Bell(Mutex<BTreeMap<u64, Waker>>);

impl Bell {
    /// Somebody wants to be woken whenever it rings.
    pub(super) fn hear(&self, number: u64, waker: &Waker) {
        let mut wakers = lock(&self.0);
        match wakers.get_mut(&number) {
            Some(known) => known.clone_from(waker),
            None => {
                wakers.insert(number, waker.clone());
            }
        }
    }

    /// Somebody is gone.
    pub(super) fn forget(&self, number: u64) {
        lock(&self.0).remove(&number);
    }

    pub(super) fn ring(&self) {
        let wakers: Vec<Waker> = lock(&self.0).values().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
