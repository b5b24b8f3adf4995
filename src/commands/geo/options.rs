//! What a search by area is asked for: the options of GEOSEARCH, GEORADIUS and their relatives.

use super::common::{parse_point, parse_unit_m};
use crate::commands::CmdError;
use crate::commands::error::QUOTED_BYTES_MAX;
use crate::commands::support::geo::{Area, Point, Shape, middle_of, point_of_score};
use crate::commands::support::number::parse_i64;
use crate::page::zset::ZsetRef;
use crate::resp::Args;
use crate::resp::double::parse_f64;

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// GEORADIUS: a circle around a point.
    AroundPoint { may_store: bool },
    /// GEORADIUSBYMEMBER: a circle around a member.
    AroundMember { may_store: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(
            self,
            Self::AroundPoint { may_store: true } | Self::AroundMember { may_store: true }
        )
    }
}

/// In which order results come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The nearest first.
    Ascending,
    /// The farthest first.
    Descending,
}

/// What is asked for.
#[derive(Default)]
pub(super) struct Query<'a> {
    centre: Option<Point>,
    shape: Option<Shape>,
    unit_m: f64,
    /// As given, or because of a count.
    pub order: Option<Order>,
    /// At most so many results; 0 = all.
    pub count: u64,
    /// Whether any of them will do.
    pub any: bool,
    /// Whether each comes with its distance, …
    pub with_distance: bool,
    /// … its score, …
    pub with_hash: bool,
    /// … its position.
    pub with_point: bool,
    /// Where to store them.
    pub target: Option<&'a [u8]>,
    /// Whether with their distances as scores.
    pub store_distance: bool,
}

const NO_MEMBER: CmdError = CmdError::text("ERR could not decode requested zset member");

impl<'a> Query<'a> {
    /// Reads the arguments. Without a sorted set nothing can be found, and no member is looked for.
    pub fn parse(args: Args<'a>, form: Form, zset: Option<ZsetRef<'_>>) -> Result<Self, CmdError> {
        let mut query = Self::default();
        let options = match form {
            Form::AroundPoint { .. } => {
                query.centre = Some(parse_point(args.at(2), args.at(3))?);
                query.set_circle(args.at(4), args.at(5))?;
                args.skip(6)
            }
            Form::AroundMember { .. } => {
                if let Some(zset) = zset {
                    query.centre = Some(point_of_member(zset, args.at(2))?);
                    query.set_circle(args.at(3), args.at(4))?;
                }
                args.skip(5)
            }
            Form::Search => args.skip(2),
            Form::SearchStore => {
                query.target = args.get(1);
                args.skip(3)
            }
        };
        let mut has = Given::default();
        let mut at = 0;
        while let Some(option) = options.get(at) {
            let values = options.skip(at + 1);
            at += 1 + query.take(option, values, form, zset, &mut has)?;
        }
        query.check(args, form, has)?;
        if query.count != 0 && query.order.is_none() && !query.any {
            query.order = Some(Order::Ascending);
        }
        Ok(query)
    }

    /// The area; there is none where the sorted set is missing.
    pub fn area(&self) -> Option<Area> {
        Some(Area {
            centre: self.centre?,
            shape: self.shape.clone()?,
            unit_m: self.unit_m,
        })
    }

    /// Metres in the unit of distances.
    pub fn unit_m(&self) -> f64 {
        self.unit_m
    }

    /// Takes an option; how many values it had.
    fn take(
        &mut self,
        option: &[u8],
        values: Args<'a>,
        form: Form,
        zset: Option<ZsetRef<'_>>,
        has: &mut Given,
    ) -> Result<usize, CmdError> {
        match option.to_ascii_lowercase().as_slice() {
            b"withdist" => self.with_distance = true,
            b"withhash" => self.with_hash = true,
            b"withcoord" => self.with_point = true,
            b"any" => self.any = true,
            b"asc" => self.order = Some(Order::Ascending),
            b"desc" => self.order = Some(Order::Descending),
            b"count" if !values.is_empty() => {
                let count = parse_i64(values.at(0)).ok_or(CmdError::NotInteger)?;
                let count = u64::try_from(count).ok().filter(|count| *count > 0);
                self.count = count.ok_or(CmdError::text("ERR COUNT must be > 0"))?;
                return Ok(1);
            }
            b"store" if form.may_store() && !values.is_empty() => {
                (self.target, self.store_distance) = (values.get(0), false);
                return Ok(1);
            }
            b"storedist" if form.may_store() && !values.is_empty() => {
                (self.target, self.store_distance) = (values.get(0), true);
                return Ok(1);
            }
            b"storedist" if form == Form::SearchStore => self.store_distance = true,
            name if form.is_search() => return self.take_area(name, values, zset, has),
            _ => return Err(CmdError::Syntax),
        }
        Ok(0)
    }

    /// Takes an option that says where to search.
    fn take_area(
        &mut self,
        option: &[u8],
        values: Args<'a>,
        zset: Option<ZsetRef<'_>>,
        has: &mut Given,
    ) -> Result<usize, CmdError> {
        match option {
            b"frommember" if !values.is_empty() && !has.point && !has.polygon => {
                has.member = true;
                self.centre = zset.map(|zset| point_of_member(zset, values.at(0))).transpose()?;
                Ok(1)
            }
            b"fromlonlat" if values.len() >= 2 && !has.member && !has.polygon => {
                has.point = true;
                self.centre = Some(parse_point(values.at(0), values.at(1))?);
                Ok(2)
            }
            b"byradius" if values.len() >= 2 && !has.rectangle && !has.polygon => {
                has.circle = true;
                self.set_circle(values.at(0), values.at(1))?;
                Ok(2)
            }
            b"bybox" if values.len() >= 3 && !has.circle && !has.polygon => {
                has.rectangle = true;
                self.set_rectangle(values.at(0), values.at(1), values.at(2))?;
                Ok(3)
            }
            b"bypolygon" if values.len() >= 2 && !has.has_other_than_polygon() => {
                has.polygon = true;
                self.set_polygon(values)
            }
            _ => Err(CmdError::Syntax),
        }
    }

    fn set_circle(&mut self, radius: &[u8], unit: &[u8]) -> Result<(), CmdError> {
        let radius = parse_f64(radius).ok_or(CmdError::text("ERR need numeric radius"))?;
        if radius < 0.0 {
            return Err(CmdError::text("ERR radius cannot be negative"));
        }
        self.unit_m = parse_unit_m(unit)?;
        self.shape = Some(Shape::Circle { radius });
        Ok(())
    }

    fn set_rectangle(&mut self, width: &[u8], height: &[u8], unit: &[u8]) -> Result<(), CmdError> {
        let width = parse_f64(width).ok_or(CmdError::text("ERR need numeric width"))?;
        let height = parse_f64(height).ok_or(CmdError::text("ERR need numeric height"))?;
        if width < 0.0 || height < 0.0 {
            return Err(CmdError::text("ERR height or width cannot be negative"));
        }
        self.unit_m = parse_unit_m(unit)?;
        self.shape = Some(Shape::Rectangle { width, height });
        Ok(())
    }

    /// Takes a polygon, whose middle is the centre; how many values it had.
    fn set_polygon(&mut self, values: Args<'_>) -> Result<usize, CmdError> {
        let count = parse_i64(values.at(0)).and_then(|count| i32::try_from(count).ok());
        let count = count.ok_or(CmdError::text("ERR invalid number of vertices"))?;
        let numbers = values.skip(1);
        let count = usize::try_from(count).unwrap_or(0);
        if count < 3 || count > numbers.len() / 2 {
            return Err(CmdError::text("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"));
        }
        let corner = |n: usize| parse_point(numbers.at(2 * n), numbers.at(2 * n + 1));
        let corners: Vec<Point> = (0..count).map(corner).collect::<Result<_, _>>()?;
        self.unit_m = 1.0;
        self.centre = Some(middle_of(&corners));
        self.shape = Some(Shape::Polygon { corners });
        Ok(1 + 2 * count)
    }

    fn check(&self, args: Args<'_>, form: Form, has: Given) -> Result<(), CmdError> {
        if self.target.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            let who = match form {
                Form::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(format!("ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options").into());
        }
        let one_of = |which: &str| {
            let before = format!("ERR exactly one of {which} can be specified for ");
            Err(CmdError::quoting(&before, args.at(0), QUOTED_BYTES_MAX, ""))
        };
        if form.is_search() && !(has.member || has.point || has.polygon) {
            return one_of("FROMMEMBER or FROMLONLAT");
        }
        if form.is_search() && !(has.circle || has.rectangle || has.polygon) {
            return one_of("BYRADIUS and BYBOX");
        }
        if self.any && self.count == 0 {
            return Err(CmdError::text("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}

/// Which options of a search were given that exclude each other.
#[derive(Clone, Copy, Default)]
struct Given {
    member: bool,
    point: bool,
    circle: bool,
    rectangle: bool,
    polygon: bool,
}

impl Given {
    fn has_other_than_polygon(self) -> bool {
        self.member || self.point || self.circle || self.rectangle
    }
}

fn point_of_member(zset: ZsetRef<'_>, member: &[u8]) -> Result<Point, CmdError> {
    zset.score(member).map(point_of_score).ok_or(NO_MEMBER)
}
