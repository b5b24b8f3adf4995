//! Reads a file front to back, one event at a time.

mod container;
mod module;
mod scalar;
mod source;
mod stream;

use std::io::Read;

use super::code::{VERSION_CHECKSUM, VERSION_READ_MAX, op};
use super::error::{Error, Reason};
use super::object::Object;

pub(super) use container::object;
pub(super) use source::Source;

/// What a file consists of.
#[derive(Debug)]
pub enum Event {
    /// A remark of the server that wrote the file, as in `redis-ver`.
    Remark {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// How many keys the database that now begins has.
    Size {
        /// The database.
        db: u64,
        /// Its keys.
        keys: u64,
    },
    /// A library of functions.
    Function {
        /// Its code, whose first line names it.
        code: Vec<u8>,
    },
    /// A library as no release of Redis takes it, which has been skipped.
    OldFunction {
        /// Its name.
        name: Vec<u8>,
    },
    /// Data of a module outside any key, which has been skipped.
    ModuleData {
        /// The module type.
        module: String,
    },
    /// A key with its value.
    Entry(Entry),
}

/// A key with its value.
#[derive(Debug)]
pub struct Entry {
    /// The database.
    pub db: u64,
    /// The key.
    pub key: Vec<u8>,
    /// When it expires, in Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// How long it was not used, in seconds.
    pub idle_s: Option<u64>,
    /// How often it was used, as a counter of approximate logarithms.
    pub frequency: Option<u8>,
    /// The value.
    pub object: Object,
}

/// Reads a file.
pub struct Reader<R> {
    source: Source<R>,
    version: u16,
    db: u64,
    done: bool,
}

/// What stands before a key.
#[derive(Default)]
struct Properties {
    expires_at_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

const MAGIC: &[u8; 5] = b"REDIS";

impl<R: Read> Reader<R> {
    /// Begins to read `input`: the header tells whether it is a file of a known version.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut reader = Self {
            source: Source::new(input, usize::MAX),
            version: 0,
            db: 0,
            done: false,
        };
        reader.version = reader.header().map_err(|reason| reader.error(None, reason))?;
        Ok(reader)
    }

    fn header(&mut self) -> Result<u16, Reason> {
        let header: [u8; 9] = self.source.array().map_err(|reason| match reason {
            Reason::Short => Reason::NotRdb,
            other => other,
        })?;
        let digits = header
            .strip_prefix(MAGIC)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let version: u16 = digits.and_then(|digits| digits.parse().ok()).ok_or(Reason::NotRdb)?;
        match version {
            1..=VERSION_READ_MAX => Ok(version),
            _ => Err(Reason::Version(version.into())),
        }
    }

    /// The version of the file's format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// How many bytes have been read.
    pub fn position(&self) -> u64 {
        self.source.position()
    }

    /// The next event; `None` when the file has ended as it should.
    ///
    /// # Errors
    /// The file is damaged, or holds what cannot be kept. Nothing can be read behind that.
    #[expect(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Event>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut key = None;
        let event = self.event(&mut key);
        self.done = !matches!(event, Ok(Some(_)));
        event.map_err(|reason| self.error(key, reason))
    }

    fn error(&self, key: Option<Vec<u8>>, reason: Reason) -> Error {
        Error {
            offset: self.position(),
            key,
            reason,
        }
    }

    /// Leaves in `key` whose value is being read.
    fn event(&mut self, key: &mut Option<Vec<u8>>) -> Result<Option<Event>, Reason> {
        let mut properties = Properties::default();
        loop {
            let code = self.source.byte()?;
            match code {
                op::EXPIRE_S => {
                    let seconds = i32::from_le_bytes(self.source.array()?);
                    properties.expires_at_ms = Some(i64::from(seconds) * 1000);
                }
                op::EXPIRE_MS => properties.expires_at_ms = Some(i64::from_le_bytes(self.source.array()?)),
                op::IDLE => properties.idle_s = Some(self.source.length()?),
                op::FREQUENCY => properties.frequency = Some(self.source.byte()?),
                op::SELECT => self.db = self.source.length()?,
                op::SLOT_INFO => {
                    // A hint for clusters: slot, its keys, its keys that expire.
                    for _ in 0..3 {
                        self.source.length()?;
                    }
                }
                op::END => return self.end().map(|()| None),
                op::FUNCTION_OLD..=op::AUX | op::FUNCTION | op::RESIZE => return self.aside(code).map(Some),
                _ => return self.entry(code, &properties, key).map(Some),
            }
        }
    }

    /// What is neither a key nor belongs to one.
    fn aside(&mut self, code: u8) -> Result<Event, Reason> {
        Ok(match code {
            op::AUX => Event::Remark {
                name: self.source.string()?,
                value: self.source.string()?,
            },
            op::RESIZE => {
                let keys = self.source.length()?;
                // How many of them expire.
                self.source.length()?;
                Event::Size { db: self.db, keys }
            }
            op::MODULE_AUX => Event::ModuleData {
                module: module::skip_auxiliary(&mut self.source)?,
            },
            op::FUNCTION => Event::Function {
                code: self.source.string()?,
            },
            _ => self.old_function()?,
        })
    }

    /// A library as release candidates of Redis 7.0 wrote it: name, engine, maybe a description, code.
    fn old_function(&mut self) -> Result<Event, Reason> {
        let name = self.source.string()?;
        self.source.string()?;
        if self.source.length()? != 0 {
            self.source.string()?;
        }
        self.source.string()?;
        Ok(Event::OldFunction { name })
    }

    fn entry(&mut self, code: u8, properties: &Properties, known: &mut Option<Vec<u8>>) -> Result<Event, Reason> {
        let key = self.source.string()?;
        *known = Some(key.clone());
        let object = object(&mut self.source, code)?;
        Ok(Event::Entry(Entry {
            db: self.db,
            key,
            expires_at_ms: properties.expires_at_ms,
            idle_s: properties.idle_s,
            frequency: properties.frequency,
            object,
        }))
    }

    fn end(&mut self) -> Result<(), Reason> {
        if self.version >= VERSION_CHECKSUM {
            let expected = self.source.checksum();
            let found = u64::from_le_bytes(self.source.array()?);
            // Zero: the server was told not to write one.
            if found != 0 && found != expected {
                return Reason::bad("the file's checksum is wrong");
            }
        }
        if self.source.is_at_end()? {
            Ok(())
        } else {
            Reason::bad("more follows behind the end of the file's data (an append-only file begins like an RDB file)")
        }
    }
}
