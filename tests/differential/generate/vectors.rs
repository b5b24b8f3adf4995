//! Commands on vector sets. Sets are so small that every search finds all there is.

use super::Generator;
use crate::args;
use crate::support::Args;

/// What sets of each key are made with: the arguments before the vector, its dimensions, those behind the element.
const SHAPES: [(&[&str], usize, &[&str]); 5] = [
    (&[], 3, &[]),
    (&[], 4, &["NOQUANT"]),
    (&[], 70, &["BIN"]),
    (&["REDUCE", "3"], 6, &["NOQUANT", "M", "8"]),
    (&[], 1, &["Q8"]),
];
const ELEMENTS: usize = 8;

impl Generator {
    /// Any of them.
    pub fn vector_command(&mut self) -> Args {
        let number = self.rng.below(SHAPES.len());
        let key = format!("v{number}");
        let mut args = match self.rng.below(40) {
            0..14 => self.vadd(key, number),
            14..22 => self.vsim(key, number),
            22..25 => args!["VREM", key, self.vector_element()],
            25 => args!["VEMB", key, self.vector_element()],
            26 => args!["VEMB", key, self.vector_element()],
            27 => args!["VSETATTR", key, self.vector_element(), self.vector_attributes()],
            28 => args!["VGETATTR", key, self.vector_element()],
            29 => args!["VINFO", key],
            30 => args!["VISMEMBER", key, self.vector_element()],
            31 => args!["VCARD", key],
            32 => args!["VDIM", key],
            33 => args!["VRANDMEMBER", key, self.few()],
            34 => args!["VRANDMEMBER", key, format!("-{}", 1 + self.rng.below(5))],
            35 => args!["VLINKS", key, self.vector_element()],
            36 => args!["TYPE", key],
            37 if self.rng.one_in(3) => args!["RENAME", key, key],
            38 if self.rng.one_in(4) => args!["DEL", key],
            39 if self.rng.one_in(4) => args!["SET", key, "other"],
            _ => args!["OBJECT", "ENCODING", key],
        };
        if self.rng.one_in(50) {
            let at = 2 + self.rng.below(args.len() - 1);
            args.truncate(at);
        }
        args
    }

    fn vector_element(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => b"\x00bin\xff\r\n".to_vec(),
            _ => format!("e{}", self.rng.below(ELEMENTS)).into_bytes(),
        }
    }

    fn vector_attributes(&mut self) -> String {
        match self.rng.below(8) {
            0 => String::new(),
            1 => "no json".to_owned(),
            n => format!(
                r#"{{"n":{},"s":"{}","a":[{n},"x"]}}"#,
                self.rng.below(9),
                self.option(&["RED", "green", "blue"])
            ),
        }
    }

    /// A vector of so many dimensions, most often; no score of two is near a bound that searches are given.
    fn vector(&mut self, dim: usize) -> Args {
        let dim = match self.rng.below(60) {
            0 => dim + 1,
            1 => 3,
            _ => dim,
        };
        let floats: Vec<f32> = (0..dim).map(|_| self.rng.below(23) as f32 * 0.75 - 8.0).collect();
        if self.rng.one_in(2) {
            let blob: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            return args!["FP32", blob];
        }
        let mut args = args![self.option(&["VALUES"]), dim.to_string()];
        args.extend(floats.iter().map(|float| float.to_string().into_bytes()));
        args
    }

    fn vadd(&mut self, key: String, number: usize) -> Args {
        // Rarely that of another set.
        let other = self.rng.below(SHAPES.len());
        let number = if self.rng.one_in(30) { other } else { number };
        let (before, dim, behind) = SHAPES[number];
        let mut args = args!["VADD", key];
        args.extend(before.iter().map(|word| word.as_bytes().to_vec()));
        args.extend(self.vector(dim));
        args.push(self.vector_element());
        args.extend(behind.iter().map(|word| word.as_bytes().to_vec()));
        match self.rng.below(9) {
            0 => args.extend(args!["SETATTR", self.vector_attributes()]),
            1 => args.extend(args!["EF", self.option(&["10", "300", "0", "x"])]),
            2 => args.extend(args![self.option(&["M", "nosuch", "SETATTR"])]),
            // Not with CAS: Redis 8.2.3 does not count attributes that come with it (D56).
            3 => args.extend(args!["SETATTR", self.vector_attributes(), "EF", "50"]),
            _ => {}
        }
        args
    }

    fn vsim(&mut self, key: String, number: usize) -> Args {
        let mut args = args!["VSIM", key];
        if self.rng.one_in(2) {
            args.extend(args!["ELE", self.vector_element()]);
        } else {
            let dim = SHAPES[number].1;
            args.extend(self.vector(dim));
        }
        args.extend(args!["COUNT", "100"]);
        for _ in 0..self.rng.below(4) {
            let option = match self.rng.below(9) {
                0 | 1 => args!["WITHSCORES"],
                2 | 3 => args!["WITHATTRIBS"],
                4 => args!["TRUTH"],
                5 => args!["EF", self.option(&["100", "1000", "0"])],
                6 => args!["EPSILON", self.option(&["0.234567", "0.712345", "-1", "9"])],
                7 => args!["NOTHREAD", "FILTER-EF", "0x1"],
                _ => args!["FILTER", self.vector_filter()],
            };
            args.extend(option);
        }
        args
    }

    fn vector_filter(&mut self) -> String {
        let n = self.rng.below(9);
        match self.rng.below(8) {
            0 => format!(".n == {n}"),
            1 => format!(".n < {n} and .s in ['red', \"GREEN\", 'green']"),
            2 => format!("not (.n * 2 >= {n}) or .s == 'blue'"),
            3 => format!("{n} in .a"),
            4 => "'x' in .a && .s != 'RED'".to_owned(),
            5 => ".nosuch or 1".to_owned(),
            6 => ".n + ".to_owned(),
            _ => "1".to_owned(),
        }
    }
}
