//! Scripts that are ended at each of their points: nothing of them is left, on a disk that loses power either.

mod bench;
mod history;
mod written;
