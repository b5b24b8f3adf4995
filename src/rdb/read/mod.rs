//! Reads a file front to back, one event at a time.

mod container;
mod module;
mod scalar;
mod source;
mod stream;
mod vectors;

use std::io::Read;

use super::code::op;
use super::error::{Error, Reason};
use super::object::Object;
use super::version::Version;

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
    version: Version,
    db: u64,
    done: bool,
    /// Something else may follow.
    is_part: bool,
}

/// The value that is being read.
#[derive(Default)]
struct Reading {
    key: Option<Vec<u8>>,
    kind: Option<u8>,
}

/// What stands before a key.
#[derive(Default)]
struct Properties {
    expires_at_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

const MAGIC: &[u8; 5] = b"REDIS";
const VALKEYS_MAGIC: &[u8; 6] = b"VALKEY";
/// Bytes of a file's header.
const HEADER_BYTES: usize = 9;

/// Whether a file that begins like this has data in this format.
pub fn is_rdb(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC) || beginning.starts_with(VALKEYS_MAGIC)
}

impl<R: Read> Reader<R> {
    /// Begins to read `input`: the header tells whether it is a file of a known version.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut source = Source::new(input, usize::MAX);
        match header(&mut source) {
            Ok(version) => Ok(Self {
                source,
                version,
                db: 0,
                done: false,
                is_part: false,
            }),
            Err(reason) => Err(Error {
                offset: source.position(),
                version: None,
                key: None,
                kind: None,
                reason,
            }),
        }
    }

    /// The same, of what may have something else behind it: see [`into_rest`](Self::into_rest).
    ///
    /// # Errors
    /// As those of `new`.
    pub fn of_part(input: R) -> Result<Self, Error> {
        let mut reader = Self::new(input)?;
        reader.is_part = true;
        Ok(reader)
    }

    /// What follows behind the end.
    pub fn into_rest(self) -> impl Read {
        self.source.into_rest()
    }

    /// The version of the file's format.
    pub fn version(&self) -> Version {
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
        let mut reading = Reading::default();
        let event = self.event(&mut reading);
        self.done = !matches!(event, Ok(Some(_)));
        event.map_err(|reason| Error {
            offset: self.position(),
            version: Some(self.version),
            key: reading.key,
            kind: reading.kind,
            reason,
        })
    }

    /// Leaves in `reading` whose value is being read.
    fn event(&mut self, reading: &mut Reading) -> Result<Option<Event>, Reason> {
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
                op::KEY_METADATA_OR_SLOT_IMPORT if self.version.is_valkey() => self.skip_slot_import()?,
                op::KEY_METADATA_OR_SLOT_IMPORT => {
                    let what = "what modules say of a key, which LokiKV does not have";
                    return Err(Reason::Unsupported(what.to_owned()));
                }
                op::HASH_TEMPLATE => {
                    let what = "templates of hashes, which LokiKV does not have";
                    return Err(Reason::Unsupported(what.to_owned()));
                }
                op::END => return self.end().map(|()| None),
                op::FUNCTION_OLD..=op::AUX | op::FUNCTION | op::RESIZE => return self.aside(code).map(Some),
                _ => return self.entry(code, &properties, reading).map(Some),
            }
        }
    }

    /// A hint for clusters: the name of a move, and its ranges of slots.
    fn skip_slot_import(&mut self) -> Result<(), Reason> {
        self.source.string()?;
        for _ in 0..self.source.length()? {
            self.source.length()?;
            self.source.length()?;
        }
        Ok(())
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

    fn entry(&mut self, code: u8, properties: &Properties, reading: &mut Reading) -> Result<Event, Reason> {
        reading.kind = Some(code);
        let key = self.source.string()?;
        reading.key = Some(key.clone());
        let object = object(&mut self.source, code, self.version)?;
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
        if self.version.has_checksum() {
            let expected = self.source.checksum();
            let found = u64::from_le_bytes(self.source.array()?);
            // Zero: the server was told not to write one.
            if found != 0 && found != expected {
                return Reason::bad("the file's checksum is wrong");
            }
        }
        if self.is_part || self.source.is_at_end()? {
            Ok(())
        } else {
            Reason::bad("more follows behind the end of the file's data (an append-only file begins like an RDB file)")
        }
    }
}

fn header<R: Read>(source: &mut Source<R>) -> Result<Version, Reason> {
    let header: [u8; HEADER_BYTES] = source.array().map_err(|reason| match reason {
        Reason::Short => Reason::NotRdb,
        other => other,
    })?;
    let (digits, of_number): (_, fn(u16) -> Version) = match header.strip_prefix(MAGIC) {
        Some(digits) => (Some(digits), Version::Redis),
        None => (header.strip_prefix(VALKEYS_MAGIC), Version::Valkey),
    };
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let number: u16 = digits.and_then(|digits| digits.parse().ok()).ok_or(Reason::NotRdb)?;
    let version = of_number(number);
    if version.can_be_read() {
        Ok(version)
    } else {
        Err(Reason::Version(version))
    }
}
