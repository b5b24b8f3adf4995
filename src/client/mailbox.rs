//! What others hand to a client's connection, from any thread and in whichever state the connection is.
//!
//! **Invariants**
//! - Letters are taken in the order in which they were posted, each once.
//! - The letter that comes into an empty box wakes the connection; its worker takes those behind it along. So a worker
//!   is woken once for a batch of letters, however many of its clients get some.
//! - A closed box is empty and takes nothing: a client that has been killed costs no memory for what it will not see.
//! - What the letters hold is known without counting, and counts among what the client holds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use crate::engine::dependencies::Dependencies;
use crate::resp::Reply;

/// Something that a connection is handed.
pub enum Letter {
    /// What its blocked command was served with.
    Answer(Answer),
}

/// The answer to a blocked command.
pub struct Answer {
    /// The reply, bounded as the client's output is, or an error's text.
    pub result: Result<Reply, Vec<u8>>,
    /// What may have to be stable before it is shown.
    pub depends_on: Dependencies,
}

impl Letter {
    fn held_bytes(&self) -> u64 {
        let Self::Answer(answer) = self;
        let bytes = match &answer.result {
            Ok(reply) => reply.held_bytes(),
            Err(text) => text.capacity(),
        };
        (size_of::<Self>() + bytes) as u64
    }
}

/// See the module.
pub struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    held_bytes: AtomicU64,
    is_closed: AtomicBool,
    /// Wakes the connection, in whichever state that is.
    waker: Waker,
}

impl Mailbox {
    /// An empty box of the connection that `waker` wakes.
    pub fn new(waker: Waker) -> Self {
        Self {
            letters: Mutex::default(),
            held_bytes: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            waker,
        }
    }

    /// Hands the connection a letter, unless the box is closed.
    pub fn post(&self, letter: Letter) {
        let mut letters = self.letters.lock();
        if self.is_closed() {
            return;
        }
        self.held_bytes.fetch_add(letter.held_bytes(), Ordering::Relaxed);
        letters.push(letter);
        let is_first = letters.len() == 1;
        drop(letters);
        if is_first {
            self.waker.wake_by_ref();
        }
    }

    /// Takes all letters out.
    pub fn take(&self) -> Vec<Letter> {
        let mut letters = self.letters.lock();
        self.held_bytes.store(0, Ordering::Relaxed);
        std::mem::take(&mut *letters)
    }

    /// Closes it, and with it the connection, which is woken for that.
    pub fn kill(&self) {
        self.close();
        self.waker.wake_by_ref();
    }

    /// Wakes the connection, without a letter.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Closes it: there is nobody any more who would read.
    pub fn close(&self) {
        let letters = {
            // Under the lock, so that nothing is posted behind it.
            let mut letters = self.letters.lock();
            self.is_closed.store(true, Ordering::Release);
            self.held_bytes.store(0, Ordering::Relaxed);
            std::mem::take(&mut *letters)
        };
        drop(letters);
    }

    /// Whether it has been closed.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// What the letters in it hold.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn letter(text: &str) -> Letter {
        Letter::Answer(Answer {
            result: Err(text.as_bytes().to_vec()),
            depends_on: Dependencies::default(),
        })
    }

    fn text(letter: Letter) -> String {
        let Letter::Answer(Answer { result, .. }) = letter;
        String::from_utf8(result.err().unwrap()).unwrap()
    }

    fn mailbox() -> (Mailbox, Arc<Wakes>) {
        let wakes = Arc::<Wakes>::default();
        (Mailbox::new(Waker::from(Arc::clone(&wakes))), wakes)
    }

    #[test]
    fn letters_wake_once_until_they_are_taken() {
        let (mailbox, wakes) = mailbox();
        for _ in 0..2 {
            mailbox.post(letter("one"));
            mailbox.post(letter("two"));
            assert!(mailbox.held_bytes() > 6);
            let taken: Vec<String> = mailbox.take().into_iter().map(text).collect();
            assert_eq!(
                (taken.as_slice(), mailbox.held_bytes()),
                (&["one".into(), "two".into()][..], 0)
            );
        }
        assert_eq!(wakes.0.load(Ordering::SeqCst), 2);
        assert!(mailbox.take().is_empty());
    }

    #[test]
    fn a_closed_box_takes_nothing() {
        let (mailbox, wakes) = mailbox();
        mailbox.post(letter("lost"));
        mailbox.kill();
        mailbox.post(letter("late"));
        assert!(mailbox.is_closed() && mailbox.held_bytes() == 0 && mailbox.take().is_empty());
        assert_eq!(wakes.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn many_threads_post_while_one_takes_and_another_closes() {
        const THREADS: usize = 8;
        const LETTERS: usize = 2_000;
        for closes in [false, true] {
            let (mailbox, wakes) = mailbox();
            let mut next = [0; THREADS];
            let mut batches = 0;
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let mailbox = &mailbox;
                    scope.spawn(move || (0..LETTERS).for_each(|n| mailbox.post(letter(&format!("{thread} {n}")))));
                }
                while next.iter().sum::<usize>() < THREADS * LETTERS {
                    let letters = mailbox.take();
                    batches += usize::from(!letters.is_empty());
                    for letter in letters {
                        let text = text(letter);
                        let (thread, number) = text.split_once(' ').unwrap();
                        let thread: usize = thread.parse().unwrap();
                        assert_eq!(number, next[thread].to_string(), "in order, each once");
                        next[thread] += 1;
                    }
                    if closes && next.iter().sum::<usize>() > LETTERS {
                        mailbox.close();
                        break;
                    }
                    std::thread::yield_now();
                }
            });
            let waked = wakes.0.load(Ordering::SeqCst);
            assert!(mailbox.take().is_empty() && mailbox.held_bytes() == 0);
            assert!(waked <= batches + 2, "{waked} wake-ups for {batches} batches");
        }
    }
}
