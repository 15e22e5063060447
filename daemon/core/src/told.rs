//! A value that is told to whoever listens, in the order in which they began to wait.
//!
//! Owns: the value, its version, and the wake of listeners.
//! Must never: wake in an order drawn by the runtime, as its own `watch` does: a simulation must repeat to the last byte,
//! and units that stop or see a new plan together go on in this order.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::Notify;

#[derive(Debug)]
struct Stand<T> {
    version: u64,
    value: T,
}

#[derive(Debug)]
struct Inner<T> {
    stand: RwLock<Stand<T>>,
    changed: Notify,
}

impl<T> Inner<T> {
    fn read(&self) -> Value<'_, T> {
        // Every change under the lock is whole: a panic elsewhere leaves nothing half written.
        Value(self.stand.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The value as it stands; nobody can change it while this is held, so never across a wait.
pub(crate) struct Value<'a, T>(RwLockReadGuard<'a, Stand<T>>);

impl<T> Deref for Value<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// Where the value is changed.
#[derive(Debug)]
pub(crate) struct Told<T>(Arc<Inner<T>>);

impl<T> Told<T> {
    /// A value to begin with.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Inner {
            stand: RwLock::new(Stand { version: 0, value }),
            changed: Notify::new(),
        }))
    }

    /// The value now.
    pub fn borrow(&self) -> Value<'_, T> {
        self.0.read()
    }

    /// A listener that has seen the value as it stands.
    pub fn subscribe(&self) -> Listener<T> {
        Listener {
            seen: self.0.read().0.version,
            inner: Arc::clone(&self.0),
        }
    }

    /// Puts another value in its place and tells it.
    pub fn send_replace(&self, value: T) {
        self.send_if_modified(|stands| {
            *stands = value;
            true
        });
    }

    /// Changes the value; it is told if `change` says that it did. Whether it was.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let told = {
            let mut stand = self.0.stand.write().unwrap_or_else(PoisonError::into_inner);
            let told = change(&mut stand.value);
            stand.version += u64::from(told);
            told
        };
        if told {
            self.0.changed.notify_waiters();
        }
        told
    }
}

/// Who listens to a value.
#[derive(Debug)]
pub(crate) struct Listener<T> {
    inner: Arc<Inner<T>>,
    seen: u64,
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            seen: self.seen,
        }
    }
}

impl<T> Listener<T> {
    /// The value now; it counts as seen.
    pub fn borrow_and_update(&mut self) -> Value<'_, T> {
        let value = self.inner.read();
        self.seen = value.0.version;
        value
    }

    /// Waits until a value was told that was not seen. Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) {
        let Self { inner, seen } = self;
        loop {
            let told = inner.changed.notified();
            tokio::pin!(told);
            // Before the look, so that a change in between is not missed.
            told.as_mut().enable();
            let version = inner.read().0.version;
            if version != *seen {
                *seen = version;
                return;
            }
            told.await;
        }
    }

    /// Waits until the value is as wanted.
    pub async fn wait_for(&mut self, wanted: impl Fn(&T) -> bool) {
        while !wanted(&self.borrow_and_update()) {
            self.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn a_change_wakes_all_who_wait_in_the_order_in_which_they_began() {
        let told = Told::new(0);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..32 {
            let (mut listener, order) = (told.subscribe(), Arc::clone(&order));
            tasks.spawn(async move {
                listener.changed().await;
                order.lock().unwrap().push(number);
            });
        }
        tokio::task::yield_now().await;
        told.send_replace(1);
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), (0..32).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_change_before_the_wait_is_seen_and_one_that_changes_nothing_is_not_told() {
        let told = Told::new(1);
        let mut listener = told.subscribe();
        assert!(!told.send_if_modified(|_| false));
        assert!(told.send_if_modified(|value| {
            *value = 2;
            true
        }));
        listener.changed().await;
        assert_eq!(*listener.borrow_and_update(), 2);
        listener.wait_for(|value| *value == 2).await;
    }
}
