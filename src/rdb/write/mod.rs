//! Writes a file front to back.

mod container;
mod scalar;
mod stream;
mod vectors;

use std::io::{self, Write};

use super::checksum::{self, Running};
use super::code::op;
use super::object::Object;
use super::version::Version;

pub(super) use scalar::string;

/// Writes a file. What is written lacks its end until [`Writer::finish`].
pub struct Writer<W> {
    out: W,
    version: Version,
    sum: Running,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file of this version.
    ///
    /// # Errors
    /// `out` failed.
    pub fn new(out: W, version: Version) -> io::Result<Self> {
        let mut writer = Self {
            out,
            version,
            sum: checksum::running(),
            buffer: [version.magic(), version.digits().as_bytes()].concat(),
        };
        writer.write_out()?;
        Ok(writer)
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.sum.update(&self.buffer);
        let result = self.out.write_all(&self.buffer);
        self.buffer.clear();
        // The buffer of a huge value is not kept.
        self.buffer.shrink_to(1 << 20);
        result
    }

    /// A remark, as in `redis-ver`.
    ///
    /// # Errors
    /// `out` failed.
    pub fn remark(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.buffer.push(op::AUX);
        scalar::string(&mut self.buffer, name);
        scalar::string(&mut self.buffer, value);
        self.write_out()
    }

    /// A library of functions: its code. Those come before all keys, in a version that knows them.
    ///
    /// # Errors
    /// `out` failed.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.buffer.push(op::FUNCTION);
        scalar::string(&mut self.buffer, code);
        self.write_out()
    }

    /// Begins the keys of a database, of which there are this many.
    ///
    /// # Errors
    /// `out` failed.
    pub fn database(&mut self, db: u64, keys: u64, expiring: u64) -> io::Result<()> {
        self.buffer.push(op::SELECT);
        scalar::length(&mut self.buffer, db);
        self.buffer.push(op::RESIZE);
        scalar::length(&mut self.buffer, keys);
        scalar::length(&mut self.buffer, expiring);
        self.write_out()
    }

    /// A key of the database begun last.
    ///
    /// # Errors
    /// `out` failed, or the version does not hold such a value.
    pub fn entry(&mut self, key: &[u8], expires_at_ms: Option<i64>, object: &Object) -> io::Result<()> {
        if !self.version.holds(object) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the version holds no such value",
            ));
        }
        if let Some(at_ms) = expires_at_ms {
            self.buffer.push(op::EXPIRE_MS);
            self.buffer.extend(at_ms.to_le_bytes());
        }
        container::object(&mut self.buffer, Some(key), object, self.version);
        self.write_out()
    }

    /// Writes the end, and hands back `out`, which has not been flushed.
    ///
    /// # Errors
    /// `out` failed.
    pub fn finish(mut self) -> io::Result<W> {
        self.buffer.push(op::END);
        self.write_out()?;
        let sum = self.sum.finalize();
        self.out.write_all(&sum.to_le_bytes())?;
        Ok(self.out)
    }
}

/// Appends the type and the value of `object`.
pub(super) fn kind_and_value(out: &mut Vec<u8>, object: &Object, version: Version) {
    container::object(out, None, object, version);
}
