//! JSON, word for word.

/// A word of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// What is wrong.
    Wrong(&'static str),
}

impl Token {
    /// As messages name it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Wrong(what) => what,
        }
    }
}

/// Reads words, one after the other.
pub(super) struct Tokens<'j> {
    json: &'j [u8],
    /// Where the next word is looked for.
    pub(super) at: usize,
    /// Where the last one began, or went wrong.
    pub(super) from: usize,
    takes_invalid_numbers: bool,
}

impl<'j> Tokens<'j> {
    pub(super) const fn new(json: &'j [u8], takes_invalid_numbers: bool) -> Self {
        Self {
            json,
            at: 0,
            from: 0,
            takes_invalid_numbers,
        }
    }

    /// 0 beyond the end, as C has it.
    fn byte(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'j [u8] {
        self.json.get(self.at..).unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.from = self.at;
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => {
                self.at += 1;
                return self.string().unwrap_or_else(|what| self.wrong(what));
            }
            b'-' | b'0'..=b'9' => return self.number(),
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    const fn wrong(&mut self, what: &'static str) -> Token {
        self.from = self.at;
        Token::Wrong(what)
    }

    fn word(&mut self) -> Token {
        for (word, token) in [
            ("true", Token::Boolean(true)),
            ("false", Token::Boolean(false)),
            ("null", Token::Null),
        ] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        if self.takes_invalid_numbers && is_invalid_number(self.rest()) {
            return self.read_number();
        }
        self.wrong("invalid token")
    }

    fn number(&mut self) -> Token {
        if !self.takes_invalid_numbers && is_invalid_number(self.rest()) {
            return self.wrong("invalid number");
        }
        self.read_number()
    }

    fn read_number(&mut self) -> Token {
        match to_double(self.rest()) {
            None => self.wrong("invalid number"),
            Some((number, len)) => {
                self.at += len;
                Token::Number(number)
            }
        }
    }

    fn string(&mut self) -> Result<Token, &'static str> {
        let mut text = Vec::new();
        loop {
            let plain = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\' | 0));
            let plain = plain.unwrap_or(self.rest().len());
            text.extend_from_slice(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            match self.byte(self.at) {
                b'"' => break,
                0 => return Err("unexpected end of string"),
                _ => self.escape(&mut text)?,
            }
        }
        self.at += 1;
        Ok(Token::String(text))
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            same @ (b'"' | b'\\' | b'/') => same,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, len) = self.unicode().ok_or("invalid unicode escape code")?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += len;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        Ok(())
    }

    /// The character that is escaped here, perhaps by a pair of halves, and the escape's length.
    fn unicode(&self) -> Option<(char, usize)> {
        let code = self.hex(self.at + 2)?;
        if code & 0xF800 != 0xD800 {
            return Some((char::from_u32(code)?, 6));
        }
        let is_pair = code & 0x400 == 0 && self.byte(self.at + 6) == b'\\' && self.byte(self.at + 7) == b'u';
        let low = self.hex(self.at + 8).filter(|low| is_pair && low & 0xFC00 == 0xDC00)?;
        let code = (((code & 0x3FF) << 10) | (low & 0x3FF)) + 0x1_0000;
        Some((char::from_u32(code)?, 12))
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.json.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
    }
}

/// Whether it begins as a number that JSON has not.
fn is_invalid_number(text: &[u8]) -> bool {
    let text = match text {
        [b'+', ..] => return true,
        [b'-', text @ ..] | text => text,
    };
    match text {
        [b'0', second, ..] => matches!(second, b'x' | b'X' | b'0'..=b'9'),
        [first, ..] if *first <= b'9' => false,
        _ => starts_with(text, "inf") || starts_with(text, "nan"),
    }
}

fn starts_with(text: &[u8], word: &str) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// The number that the text begins with, as C's `strtod` reads it, and its length.
fn to_double(text: &[u8]) -> Option<(f64, usize)> {
    let (sign, body) = match text {
        [b'-', body @ ..] => (-1.0, body),
        [b'+', body @ ..] => (1.0, body),
        _ => (1.0, text),
    };
    let (number, len) = if starts_with(body, "infinity") {
        (f64::INFINITY, 8)
    } else if starts_with(body, "inf") {
        (f64::INFINITY, 3)
    } else if starts_with(body, "nan") {
        (f64::NAN, 3)
    } else {
        hexadecimal(body).or_else(|| decimal(body))?
    };
    Some((sign * number, len + text.len() - body.len()))
}

fn digits(text: &[u8], is_digit: fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_digit(byte)).count()
}

/// The digits of a mantissa and their length, the point included.
fn mantissa(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(usize, usize)> {
    let whole = digits(text, is_digit);
    let fraction = match text.get(whole..) {
        Some([b'.', rest @ ..]) => Some(digits(rest, is_digit)),
        _ => None,
    };
    (whole + fraction.unwrap_or(0) > 0).then(|| (whole, whole + fraction.map_or(0, |fraction| fraction + 1)))
}

/// The length of an exponent: a letter, perhaps a sign, digits.
fn exponent(text: &[u8], letter: u8) -> usize {
    match text {
        [first, rest @ ..] if first.eq_ignore_ascii_case(&letter) => {
            let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
            match digits(rest.get(sign..).unwrap_or_default(), u8::is_ascii_digit) {
                0 => 0,
                count => 1 + sign + count,
            }
        }
        _ => 0,
    }
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let (_, len) = mantissa(text, u8::is_ascii_digit)?;
    let len = len + exponent(text.get(len..).unwrap_or_default(), b'e');
    let number = std::str::from_utf8(text.get(..len)?).ok()?.parse().ok()?;
    Some((number, len))
}

fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let [b'0', b'x' | b'X', body @ ..] = text else {
        return None;
    };
    let (whole, len) = mantissa(body, u8::is_ascii_hexdigit)?;
    let mut number = 0.0;
    for digit in body
        .get(..len)?
        .iter()
        .filter_map(|&byte| char::from(byte).to_digit(16))
    {
        number = number * 16.0 + f64::from(digit);
    }
    let places = i32::try_from(len.saturating_sub(whole + 1)).ok()?;
    let power = exponent(body.get(len..).unwrap_or_default(), b'p');
    let power_text = body.get(len + 1..len + power).unwrap_or_default();
    let scale: i32 = std::str::from_utf8(power_text).ok()?.parse().unwrap_or(0);
    Some((number * 2_f64.powi(scale.saturating_sub(places * 4)), 2 + len + power))
}
