//! What is found, and that it can be.

use super::*;

fn filled(shape: Shape, count: usize, clusters: &mut Clusters) -> VectorSet {
    let mut set = VectorSet::new(shape);
    for number in 0..count {
        add(&mut set, format!("e{number}").as_bytes(), &clusters.vector(), None);
    }
    set
}

/// How many of the 10 nearest so many searches find, and how many there are.
fn hits(set: &VectorSet, clusters: &mut Clusters, searches: usize, ef: usize) -> (usize, usize) {
    let (mut hits, mut all) = (0, 0);
    for _ in 0..searches {
        let vector = clusters.vector();
        let found = set.search(Query::Vector(&vector), plainly(10, ef)).unwrap();
        let exact = set.search(Query::Vector(&vector), exactly(10)).unwrap();
        let found = names(&found);
        hits += names(&exact).iter().filter(|name| found.contains(name)).count();
        all += exact.len();
    }
    (hits, all)
}

#[test]
fn with_room_for_all_the_graph_finds_what_looking_at_all_finds() {
    for quant in QUANTS {
        let mut clusters = Clusters::new(1, 5, 24, 0.5);
        let set = filled(shape(quant, 24, 8), 400, &mut clusters);
        for _ in 0..20 {
            let vector = clusters.vector();
            let query = Query::Vector(&vector);
            let (found, exact) = (set.search(query, plainly(400, 400)), set.search(query, exactly(400)));
            assert_eq!(found, exact, "{quant:?}");
            assert_eq!(found.unwrap().len(), 400);
        }
    }
}

#[test]
fn most_of_the_nearest_are_found() {
    let mut clusters = Clusters::new(2, 50, 32, 0.2);
    let set = filled(shape(Quant::Q8, 32, M_DEFAULT), 3000, &mut clusters);
    assert_eq!(unreachable(&set), 0);
    let (hits, all) = hits(&set, &mut clusters, 100, EF_SEARCH as usize);
    assert!(hits * 100 >= all * 95, "{hits} of {all}");
}

#[test]
fn whatever_goes_the_others_are_found() {
    for m in [4, 16] {
        let mut clusters = Clusters::new(3, 30, 8, 0.05);
        let mut set = filled(shape(Quant::Q8, 8, m), 600, &mut clusters);
        for number in 0..590 {
            remove(&mut set, format!("e{}", number * 7 % 600).as_bytes());
            if number % 10 == 0 {
                assert_eq!(unreachable(&set), 0, "{number} are gone, m is {m}");
            }
        }
        check_whole(&set);
        assert_eq!(set.len(), 10);
    }
}

#[test]
fn equal_vectors_are_all_found() {
    let mut set = VectorSet::new(shape(Quant::Q8, 4, 4));
    for number in 0..300 {
        add(&mut set, format!("e{number}").as_bytes(), &[1.0, 2.0, 3.0, 4.0], None);
    }
    assert_eq!(unreachable(&set), 0);
    let found = set.search(Query::Element(b"e7"), plainly(300, 300)).unwrap();
    assert_eq!(found.len(), 300);
    (0..299).for_each(|number| remove(&mut set, format!("e{number}").as_bytes()));
    check_whole(&set);
}

#[test]
fn filters_and_epsilon_leave_out_what_they_should() {
    let mut set = VectorSet::new(shape(Quant::F32, 2, 8));
    for number in 0..200_u32 {
        let angle = number as f32 / 100.0;
        let attributes = number.to_string();
        let attributes = (number % 3 > 0).then_some(attributes.as_bytes());
        add(
            &mut set,
            format!("e{number}").as_bytes(),
            &[angle.cos(), angle.sin()],
            attributes,
        );
    }
    for is_exact in [false, true] {
        let mut even = |attributes: Option<&[u8]>| {
            attributes.is_some_and(|text| std::str::from_utf8(text).unwrap().parse::<u32>().unwrap() % 2 == 0)
        };
        let search = Search {
            filter: Some(&mut even),
            is_exact,
            ..plainly(5, 20)
        };
        let found = set.search(Query::Vector(&[1.0, 0.0]), search).unwrap();
        assert_eq!(names(&found), [&b"e2"[..], b"e4", b"e8", b"e10", b"e14"]);
        assert_eq!(found[0].attributes, Some(&b"2"[..]));
        let search = Search {
            epsilon: Some(0.001),
            is_exact,
            ..plainly(100, 100)
        };
        let found = set.search(Query::Vector(&[1.0, 0.0]), search).unwrap();
        assert!(found.iter().all(|found| found.score >= 0.999));
        // cos(0.06) is 0.9982: half of the distance is 0.0009.
        assert_eq!(found.len(), 7);
    }
    let mut none = |_: Option<&[u8]>| false;
    let search = Search {
        filter: Some(&mut none),
        filter_ef: 10,
        ..plainly(5, 20)
    };
    assert_eq!(set.search(Query::Element(b"e3"), search), Some(Vec::new()));
}

#[test]
fn a_filter_looks_at_no_more_than_it_may() {
    let mut clusters = Clusters::new(4, 5, 8, 0.5);
    let set = filled(shape(Quant::Q8, 8, 8), 1000, &mut clusters);
    let mut asked = 0;
    let mut none = |_: Option<&[u8]>| {
        asked += 1;
        false
    };
    let search = Search {
        filter: Some(&mut none),
        filter_ef: 10,
        ..plainly(5, 20)
    };
    set.search(Query::Element(b"e3"), search).unwrap();
    assert!((10..=10 * 18 + 1).contains(&asked), "{asked}");
}

#[test]
fn queries_that_do_not_fit_are_told_apart() {
    let mut clusters = Clusters::new(5, 5, 8, 0.5);
    let set = filled(shape(Quant::Q8, 8, 8), 10, &mut clusters);
    assert_eq!(set.search(Query::Element(b"none"), plainly(1, 1)), None);
    assert_eq!(set.search(Query::Vector(&[1.0; 7]), plainly(1, 1)), None);
    let found = set.search(Query::Element(b"e4"), plainly(1, 1)).unwrap();
    assert_eq!(names(&found), [b"e4"]);
    assert!((found[0].score - 1.0).abs() < 0.01);
}

#[test]
fn reduced_vectors_are_those_of_the_matrix() {
    let reduced = Shape {
        input_dim: Some(3),
        ..shape(Quant::F32, 2, 16)
    };
    let mut set = VectorSet::new(reduced);
    add(&mut set, b"a", &[1.0, 2.0, 3.0], None);
    // (1 + 2 + 3) / √3 and (1 - 2 + 3) / √3.
    let vector = set.vector(b"a").unwrap();
    assert!((vector[0] - 3.464_101_6).abs() < 1e-6 && (vector[1] - 1.154_700_5).abs() < 1e-6);
    let score = |vector: &[f32]| set.search(Query::Vector(vector), plainly(1, 1)).unwrap()[0].score;
    assert!(score(&[1.0, 2.0, 3.0]) > 0.999_999 && score(&[3.464_101_6, 1.154_700_5]) > 0.999_999);
}

#[test]
fn what_is_not_finite_is_kept_as_zeroes() {
    for quant in QUANTS {
        let mut set = VectorSet::new(shape(quant, 2, 4));
        for (name, vector) in [
            ("zero", [0.0; 2]),
            ("nan", [f32::NAN, 1.0]),
            ("inf", [1.0, f32::INFINITY]),
            ("big", [1e30, 1.0]),
        ] {
            add(&mut set, name.as_bytes(), &vector, None);
        }
        assert_eq!(set.raw(b"zero").unwrap().norm, 1.0);
        assert_eq!(set.raw(b"big").unwrap().norm, f32::INFINITY);
        assert!(set.raw(b"nan").unwrap().norm.is_nan());
        assert_eq!(set.search(Query::Vector(&[1.0, 0.0]), plainly(9, 9)).unwrap().len(), 4);
        check_whole(&set);
    }
}

/// Few links are enough, if better ones take the places of others.
#[test]
fn with_few_links_the_nearest_are_found_too() {
    for m in [4, 5] {
        let mut clusters = Clusters::new(2, 1, 16, 1000.0);
        let set = filled(shape(Quant::F32, 16, m), 1500, &mut clusters);
        assert_eq!(unreachable(&set), 0);
        let (hits, all) = hits(&set, &mut clusters, 50, 50);
        assert_eq!(all, 500);
        assert!(hits > 450, "{hits} of 500 with {m} links");
    }
}
