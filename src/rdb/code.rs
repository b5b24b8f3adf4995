//! The numbers of the format: opcodes, types of value, encodings of strings.

/// Opcodes: what may stand in a file where a type could.
pub mod op {
    /// Templates of hashes, of Redis 8.8 and later.
    pub const HASH_TEMPLATE: u8 = 242;
    /// In Redis, what modules say of the key that follows; in Valkey, slots that were on their way to the server.
    pub const KEY_METADATA_OR_SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_OLD: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE: u8 = 251;
    pub const EXPIRE_MS: u8 = 252;
    pub const EXPIRE_S: u8 = 253;
    pub const SELECT: u8 = 254;
    pub const END: u8 = 255;
}

/// Types of value, each with its encoding.
pub mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE_OLD: u8 = 6;
    pub const MODULE: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// In Valkey, [`HASH_TIMED_VALKEY`].
    pub const HASH_TIMED_OLD: u8 = 22;
    pub const HASH_TIMED_VALKEY: u8 = 22;
    pub const HASH_LISTPACK_TIMED_OLD: u8 = 23;
    pub const HASH_TIMED: u8 = 24;
    pub const HASH_LISTPACK_TIMED: u8 = 25;
    /// With the ids of producers.
    pub const STREAM_4: u8 = 26;
    /// With entries that are pending and have been given back.
    pub const STREAM_5: u8 = 27;
    pub const ARRAY: u8 = 28;
    /// Of four types, with or without the template, the first and the last.
    pub const HASH_TEMPLATE: u8 = 29;
    pub const HASH_TEMPLATE_LAST: u8 = 32;
    pub const RATE_LIMITER: u8 = 33;

    /// What values of a type are, in words.
    pub fn name(code: u8) -> &'static str {
        match code {
            STRING => "string",
            LIST | LIST_ZIPLIST | LIST_QUICKLIST | LIST_QUICKLIST_2 => "list",
            SET | SET_INTSET | SET_LISTPACK => "set",
            ZSET | ZSET_2 | ZSET_ZIPLIST | ZSET_LISTPACK => "sorted set",
            HASH | HASH_ZIPMAP | HASH_ZIPLIST | HASH_LISTPACK => "hash",
            HASH_TIMED_OLD | HASH_LISTPACK_TIMED_OLD | HASH_TIMED | HASH_LISTPACK_TIMED => {
                "hash with fields that expire"
            }
            STREAM | STREAM_2 | STREAM_3 | STREAM_4 | STREAM_5 => "stream",
            MODULE_OLD | MODULE => "module",
            ARRAY => "array",
            HASH_TEMPLATE..=HASH_TEMPLATE_LAST => "hash by template",
            RATE_LIMITER => "rate limiter",
            _ => "unknown",
        }
    }
}

/// Encodings of a string that is not stored as it is: what a length's first byte says when both upper bits are set.
pub mod string {
    pub const INT_8: u8 = 0;
    pub const INT_16: u8 = 1;
    pub const INT_32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// How a node of a quicklist holds its elements.
pub mod node {
    /// The node is one element.
    pub const PLAIN: u64 = 1;
    /// The node is a listpack of elements.
    pub const PACKED: u64 = 2;
}

/// What stands before each part of a module's value.
pub mod module {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

/// What is said of vector sets, in the value of a module.
pub mod vectors {
    /// The module's name (`vectorset`), and the first version of its encoding.
    pub const MODULE_ID: u64 = 0xbde7_2da2_bb1e_b400;
    /// The set reduces vectors, by a projection that follows.
    pub const HAS_PROJECTION: u64 = 1;
    /// All elements have attributes, which may be empty.
    pub const HAS_ATTRIBUTES: u64 = 2;
    /// Where the number of links is, above how vectors are kept.
    pub const M_SHIFT: u32 = 8;
    /// Which part of a number is an element's highest level.
    pub const LEVEL_MASK: u64 = 0xff_ffff;
    /// Behind the neighbours on each level stands which of them is farthest.
    pub const WITH_FARTHEST: u64 = 1 << 24;
}

/// Flags of an entry in a stream's listpack.
pub mod entry {
    /// The entry has been deleted.
    pub const DELETED: i64 = 1;
    /// The entry's fields are those of the listpack's first entry.
    pub const SAME_FIELDS: i64 = 2;
}
