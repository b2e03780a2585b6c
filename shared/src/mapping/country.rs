//! Countries: any usual way to write one, to its ISO 3166-1 alpha-2 code. The list is `countries.tsv`.
//!
//! Invariant: a name is folded (case, marks, punctuation) before it is looked up, and no two countries share a folded name.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One row of the list.
struct Country {
    code: &'static str,
    name: &'static str,
}

static COUNTRIES: LazyLock<HashMap<String, Country>> = LazyLock::new(|| {
    rows().flat_map(|(code, name, all)| all.map(move |other| (fold(other), Country { code, name }))).collect()
});

/// Code, English name, and every way to write it.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, impl Iterator<Item = &'static str>)> {
    include_str!("countries.tsv").lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        let (code, alpha3, name) = (columns.next()?, columns.next()?, columns.next()?);
        let aliases = columns.next()?.split(';').filter(|alias| !alias.is_empty());
        Some((code, name, [code, alpha3, name].into_iter().chain(aliases)))
    })
}

/// The alpha-2 code of a country, however it is written.
pub(crate) fn alpha2(text: &str) -> Option<&'static str> {
    find(text).map(|country| country.code)
}

/// The English name of a country, however it is written.
pub(crate) fn name(text: &str) -> Option<&'static str> {
    find(text).map(|country| country.name)
}

fn find(text: &str) -> Option<&'static Country> {
    // The longest name in the list has 52 letters; what is much longer is none, and not worth folding.
    if text.len() > 512 { None } else { COUNTRIES.get(&fold(text)) }
}

/// Letters and digits in lower case, Latin ones without their marks, `&` as `and`, and no leading `the`.
fn fold(text: &str) -> String {
    let text = text.trim();
    let text = match text.get(..4) {
        Some(the) if the.eq_ignore_ascii_case("the ") => &text[4..],
        _ => text,
    };
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '&' => folded.push_str("and"),
            'à'..='å' | 'ā' | 'ă' | 'ą' => folded.push('a'),
            'æ' => folded.push_str("ae"),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'ð' | 'ď' | 'đ' => folded.push('d'),
            'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ə' => folded.push('e'),
            'ğ' => folded.push('g'),
            'ì'..='ï' | 'ī' | 'į' | 'ı' => folded.push('i'),
            'ł' | 'ľ' | 'ļ' => folded.push('l'),
            'ñ' | 'ń' | 'ň' | 'ņ' => folded.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => folded.push('o'),
            'ř' => folded.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => folded.push('s'),
            'ß' => folded.push_str("ss"),
            'ť' | 'ţ' | 'ț' => folded.push('t'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            '\u{300}'..='\u{36f}' => {}
            c if c.is_alphanumeric() => folded.push(c),
            // Vowel signs of Indic scripts and the like are part of the word and not punctuation.
            c if !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_punctuation(c) => folded.push(c),
            _ => {}
        }
    }
    folded
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn usual_spellings_are_told() {
        let germany = ["DE", "de", "DEU", "Germany", "DEUTSCHLAND", " Deutschland ", "Federal Republic of Germany"];
        let states =
            ["US", "USA", "U.S.A.", "United States", "united states of america", "The United States", "États-Unis"];
        let others = [
            ("UK", "GB"),
            ("España", "ES"),
            ("Espan\u{303}a", "ES"),
            ("ESPANA", "ES"),
            ("Österreich", "AT"),
            ("Cote d’Ivoire", "CI"),
            ("Turkey", "TR"),
            ("TÜRKİYE", "TR"),
            ("日本", "JP"),
            ("Россия", "RU"),
            ("भारत", "IN"),
            ("Trinidad & Tobago", "TT"),
            ("Korea, Republic of", "KR"),
        ];
        for (text, code) in germany.map(|t| (t, "DE")).into_iter().chain(states.map(|t| (t, "US"))).chain(others) {
            assert_eq!(alpha2(text), Some(code), "{text}");
        }
        for text in ["", "??", "Atlantis", "U", "the ", "é", &"x".repeat(10_000)] {
            assert_eq!(alpha2(text), None, "{text:.20}");
        }
        assert_eq!(name("deu"), Some("Germany"));
    }

    #[test]
    fn the_list_is_whole_and_no_two_countries_share_a_name() {
        let mut seen = HashMap::new();
        for (code, _, all) in rows() {
            for spelling in all {
                let first = *seen.entry(fold(spelling)).or_insert(code);
                assert_eq!(first, code, "{spelling}");
            }
        }
        assert_eq!(rows().count(), 250);
        let lines = include_str!("countries.tsv").lines().filter(|l| !l.starts_with('#'));
        assert!(lines.into_iter().all(|l| l.split('\t').count() == 4));
    }
}
