//! What is to be known of a certificate: its serial number, when it ends, whom it names.
//!
//! **Invariant:** nothing here judges whether a certificate is genuine; who asks for a name has had that checked.

use x509_cert::Certificate as Parsed;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Tag, Tagged};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What INFO tells of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// When it ends, Unix seconds.
    pub ends_s: u64,
}

impl Certificate {
    /// Of a certificate in DER; `None`: it is none.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let parsed = Parsed::from_der(der).ok()?;
        let body = parsed.tbs_certificate();
        let serial = body.serial_number().as_bytes();
        Some(Self {
            serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            ends_s: body.validity().not_after.to_unix_duration().as_secs(),
        })
    }

    /// For how many seconds it is valid yet; negative: it has ended.
    pub fn ends_in_s(&self, now_s: u64) -> i64 {
        self.ends_s.cast_signed().saturating_sub(now_s.cast_signed())
    }
}

/// The name of its subject (CN) that a certificate in DER has, if it has exactly one, of text without NUL: whoever
/// compares names that end at a NUL would take `admin\0.example.org` for another one.
pub fn common_name(der: &[u8]) -> Option<String> {
    let parsed = Parsed::from_der(der).ok()?;
    let subject = parsed.tbs_certificate().subject();
    let mut names = subject.iter().filter(|attribute| attribute.oid == COMMON_NAME);
    let (Some(name), None) = (names.next(), names.next()) else {
        return None;
    };
    let is_text = matches!(
        name.value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    let text = str::from_utf8(name.value.value()).ok()?;
    (is_text && !text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber};

    fn der(names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.serial_number = Some(SerialNumber::from(0x0a0b_u64));
        params.not_after = rcgen::date_time_ymd(2033, 5, 18);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn what_info_tells() {
        let certificate = Certificate::of(&der(&["x"])).unwrap();
        assert_eq!(
            (certificate.serial.as_str(), certificate.ends_s),
            ("0a0b", 1_999_987_200)
        );
        assert_eq!(certificate.ends_in_s(1_999_987_100), 100);
        assert_eq!(certificate.ends_in_s(1_999_987_300), -100);
        assert_eq!(Certificate::of(b"no certificate"), None);
    }

    #[test]
    fn names() {
        assert_eq!(common_name(&der(&["ann"])).as_deref(), Some("ann"));
        assert_eq!(common_name(&der(&["admin\0.example.org"])), None);
        assert_eq!(common_name(&der(&[])), None);
        assert_eq!(common_name(&der(&[""])), None);
        assert_eq!(common_name(b"\x30\x03\x02\x01\x01"), None);
    }
}
