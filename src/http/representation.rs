//! Which form of a value is sent, and how it is agreed upon.

use http::header::{ACCEPT, GetAll, VARY};
use http::{HeaderMap, HeaderValue};

use super::code::Code;
use super::header_text::HeaderText;
use super::key::KeyEncoding;
use super::problem::Problem;
use crate::config::sections::{ValueFormat, ViewConfig};
use crate::entry::EntryHeader;
use crate::store::Entry;

/// The same URL gives different representations, large ones are compressed, and no cache answers for the service when
/// a request asks for a position or waits.
pub(super) const VARY_ON: HeaderValue =
    HeaderValue::from_static("Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency");

/// Form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Representation {
    /// The bytes, as JSON.
    Json,
    /// The bytes, as text.
    Text,
    /// The bytes, as bytes.
    Raw,
    /// A JSON document of key, value and where they come from.
    Entry,
}

impl Representation {
    /// Names of all representations, as `format` takes them.
    pub(super) const NAMES: [&'static str; 4] = ["json", "text", "raw", "entry"];

    /// Returns the representations of a view's values, its default first.
    pub(super) fn available(format: ValueFormat) -> &'static [Self] {
        match format {
            ValueFormat::Json => &[Self::Json, Self::Raw, Self::Entry],
            ValueFormat::Text => &[Self::Text, Self::Raw, Self::Entry],
            ValueFormat::Bytes => &[Self::Raw, Self::Entry],
        }
    }

    /// Returns the representation of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Json, Self::Text, Self::Raw, Self::Entry];
        all.into_iter().find(|representation| representation.name() == name)
    }

    /// Returns the name, as `format` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Raw => "raw",
            Self::Entry => "entry",
        }
    }

    /// Returns the entity tag of this form of an entry. A document reads as the formats of its view say; the bytes of a
    /// value depend on none.
    pub(super) fn etag(self, text: &mut HeaderText, config: &ViewConfig, entry: &Entry) -> HeaderValue {
        let (slot, header) = (&entry.slot, &entry.header);
        let record = (header.offset, header.timestamp.at);
        let value = Self::available(config.value).first().map_or("", |default| default.name());
        let form = [self.letters(header), KeyEncoding::of(config.key).name(), value];
        let form = if self == Self::Entry { &form[..] } else { &form[..1] };
        text.etag(slot.topic_id().tag(), slot.partition(), record, form)
    }

    /// Returns what an entity tag says of the form: two representations of a record are two entities, and so is what a
    /// view shows of it before and after its bound on values is raised, or headers are kept.
    fn letters(self, header: &EntryHeader) -> &'static str {
        match (self, header.too_large.is_none(), header.has_headers()) {
            (Self::Json, true, _) => "j",
            (Self::Text, true, _) => "t",
            (Self::Raw, true, _) => "r",
            (Self::Json | Self::Text | Self::Raw, false, _) => "x",
            (Self::Entry, true, false) => "e",
            (Self::Entry, true, true) => "eh",
            (Self::Entry, false, false) => "ex",
            (Self::Entry, false, true) => "exh",
        }
    }

    /// Returns the content type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Raw => "application/octet-stream",
            Self::Entry => "application/vnd.statusquo.entry+json",
        }
    }

    /// Agrees on a representation of values of a view; `named` is what `format` says and goes before `Accept`.
    ///
    /// # Errors
    /// `value-not-representable` or `not-acceptable`, with what is available.
    pub(super) fn negotiate(
        format: ValueFormat,
        named: Option<Self>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let available = Self::available(format);
        if let Some(named) = named {
            return if available.contains(&named) { Ok(named) } else { Err(refusal(format, true)) };
        }
        let accept = headers.get_all(ACCEPT);
        let Some(&default) = available.first() else { return Err(refusal(format, true)) };
        if accept.iter().next().is_none() {
            return Ok(default);
        }
        let mut best = (0, None);
        for representation in available {
            let quality = quality(&accept, *representation);
            if quality > best.0 {
                best = (quality, Some(*representation));
            }
        }
        let known = || quality(&accept, Self::Json) > 0 || quality(&accept, Self::Text) > 0;
        best.1.ok_or_else(|| refusal(format, known()))
    }
}

/// Agrees on one of the content types that a path can send, the first where the client likes several.
///
/// # Errors
/// `not-acceptable`, with these types.
pub(super) fn agree(headers: &HeaderMap, content_types: &[&'static str]) -> Result<&'static str, Problem> {
    let accept = headers.get_all(ACCEPT);
    let takes_all = accept.iter().next().is_none();
    let mut best = (0, None);
    for content_type in content_types {
        let quality = if takes_all { 1 } else { quality_of(&accept, content_type) };
        if quality > best.0 {
            best = (quality, Some(*content_type));
        }
    }
    best.1.ok_or_else(|| {
        let detail = "`Accept` names nothing that this path can send";
        Problem::new(Code::NOT_ACCEPTABLE, detail)
            .available(content_types.to_vec())
            .with_header(VARY, VARY_ON)
    })
}

/// One item of an `Accept` header.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Thousandths.
    quality: u16,
}

/// Items that cannot be read are passed over.
fn ranges(value: &HeaderValue) -> impl Iterator<Item = Range<'_>> {
    value.to_str().unwrap_or_default().split(',').filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().unwrap_or(0.0))
        });
        // In range after the clamp; not a number becomes 0.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let quality = (quality.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u16;
        Some(Range { kind, subtype, quality })
    })
}

fn quality(accept: &GetAll<'_, HeaderValue>, representation: Representation) -> u16 {
    quality_of(accept, representation.content_type())
}

/// Thousandths by the most specific range that matches; zero when none does.
///
/// Reads the header once more for each content type: it may be long, and nothing is stored.
fn quality_of(accept: &GetAll<'_, HeaderValue>, content_type: &str) -> u16 {
    let media = content_type.split_once(';').map_or(content_type, |(media, _)| media);
    let Some((kind, subtype)) = media.split_once('/') else { return 0 };
    let specificity = |range: &Range<'_>| match (range.kind, range.subtype) {
        ("*", "*") => Some(0),
        (wanted, "*") if wanted.eq_ignore_ascii_case(kind) => Some(1),
        (wanted, sub) if wanted.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => Some(2),
        _ => None,
    };
    let ranges = accept.iter().flat_map(ranges);
    let matching = ranges.filter_map(|range| Some((specificity(&range)?, range.quality)));
    matching.max().map_or(0, |(_, quality)| quality)
}

fn refusal(format: ValueFormat, known: bool) -> Problem {
    let names: Vec<_> = Representation::available(format).iter().map(|one| one.name()).collect();
    let (code, detail) = match known {
        true => (Code::VALUE_NOT_REPRESENTABLE, "values of this view have no such representation"),
        false => (Code::NOT_ACCEPTABLE, "`Accept` names nothing that values of this view can be sent as"),
    };
    Problem::new(code, detail).available(names).with_header(VARY, VARY_ON)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::entry;
    use crate::position::Offset;
    use crate::record::{Timestamp, TimestampKind};
    use crate::time::Millis;

    fn agreed(format: ValueFormat, accept: &[&'static str]) -> Result<Representation, &'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        Representation::negotiate(format, None, &headers).map_err(|problem| problem.code().name)
    }

    #[test]
    fn accept_chooses_among_what_a_view_has() {
        use Representation::{Entry, Json, Raw, Text};
        let entry = "application/vnd.statusquo.entry+json";
        for (format, accept, expected) in [
            (ValueFormat::Json, &[][..], Ok(Json)),
            (ValueFormat::Json, &["*/*"], Ok(Json)),
            (ValueFormat::Json, &["application/*"], Ok(Json)),
            (ValueFormat::Json, &["text/html, application/xml;q=0.9, */*;q=0.8"], Ok(Json)),
            (ValueFormat::Json, &["application/octet-stream"], Ok(Raw)),
            (ValueFormat::Json, &["application/json;q=0.5, application/octet-stream"], Ok(Raw)),
            (ValueFormat::Json, &["application/json;q=0.5", "application/octet-stream"], Ok(Raw)),
            (ValueFormat::Json, &["APPLICATION/JSON; charset=utf-8; Q=1"], Ok(Json)),
            (ValueFormat::Json, &["*/*, application/json;q=0"], Ok(Raw)),
            (ValueFormat::Json, &[entry], Ok(Entry)),
            (ValueFormat::Json, &["text/html"], Err("not-acceptable")),
            (ValueFormat::Json, &["application/json;q=0"], Err("not-acceptable")),
            (ValueFormat::Json, &["application/json;q=x"], Err("not-acceptable")),
            (ValueFormat::Json, &["text/plain"], Err("value-not-representable")),
            (ValueFormat::Json, &["", ",;=/"], Err("not-acceptable")),
            (ValueFormat::Text, &["*/*"], Ok(Text)),
            (ValueFormat::Text, &["text/*"], Ok(Text)),
            (ValueFormat::Text, &["application/json"], Err("value-not-representable")),
            (ValueFormat::Bytes, &["*/*"], Ok(Raw)),
            (ValueFormat::Bytes, &["application/json"], Err("value-not-representable")),
        ] {
            assert_eq!(agreed(format, accept), expected, "{format:?} {accept:?}");
        }
    }

    #[test]
    fn format_goes_before_accept() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let raw = Representation::negotiate(ValueFormat::Json, Some(Representation::Raw), &headers);
        assert_eq!(raw.unwrap(), Representation::Raw);
        let text = Representation::negotiate(ValueFormat::Json, Some(Representation::Text), &headers);
        assert_eq!(text.unwrap_err().code(), Code::VALUE_NOT_REPRESENTABLE);
    }

    #[test]
    fn names_lead_back() {
        for name in Representation::NAMES {
            assert_eq!(Representation::named(name).unwrap().name(), name);
        }
    }

    #[test]
    fn letters_tell_forms_apart_and_what_was_kept_of_a_record() {
        let (offset, timestamp) =
            (Offset::new(1), Timestamp { at: Millis::new(1), kind: TimestampKind::Create });
        let mut letters = BTreeSet::new();
        for headers in [&[][..], &[(&b"trace"[..], Some(&b"1"[..]))]] {
            let (mut kept, mut left_out) = (Vec::new(), Vec::new());
            entry::push_entry(&mut kept, offset, timestamp, headers, b"1");
            entry::push_too_large(&mut left_out, offset, timestamp, headers, 1);
            for stored in [kept, left_out] {
                let header = EntryHeader::parse(&stored).unwrap();
                let named = Representation::NAMES.map(|name| Representation::named(name).unwrap());
                letters.extend(named.map(|form| form.letters(&header)));
            }
        }
        let of_values = ["j", "t", "r", "x"];
        let of_entries = ["e", "eh", "ex", "exh"];
        assert_eq!(letters, of_values.into_iter().chain(of_entries).collect());
    }
}
