//! A header list as it was received.

use std::fmt;
use std::ops::Range;

use super::{Class, Field, Malformed, MessageKind, class_of, rules};

/// A decoded header list (RFC 9113 §8.2): its fields in the order they came in, names in lower case.
///
/// All text lies in one buffer, which is used again for the next list, so a list whose fields are
/// read and not kept costs no allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderList {
    bytes: Vec<u8>,
    fields: Vec<Entry>,
    /// One more than the place of each pseudo-header field, 0 for those that are not there.
    pseudo: [u16; Class::PSEUDO],
    host: u16,
    status: Option<u16>,
    content_length: Option<u64>,
    fault: Option<Malformed>,
    size: usize,
    is_truncated: bool,
    verdict: Option<(MessageKind, Result<(), Malformed>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    name: u32,
    value: u32,
    end: u32,
    is_sensitive: bool,
}

/// One field of a [`HeaderList`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedField<'a> {
    /// The name, in lower case.
    pub name: &'a str,
    /// The value, as octets: HTTP does not say how they are text.
    pub value: &'a [u8],
    /// Whether the peer asked never to put it into a compression table (RFC 7541 §7.1.3).
    pub is_sensitive: bool,
}

impl HeaderList {
    /// The headers of a request that did not come over HTTP/2, in the order of HTTP/2: pseudo-header fields
    /// first.
    ///
    /// ```
    /// use dunlin_http2::{Field, HeaderList};
    ///
    /// let fields = [(":method", "GET"), (":scheme", "https"), (":path", "/"), ("accept", "text/html")];
    /// let list = HeaderList::of_request(fields.map(|(name, value)| Field::new(name, value)))?;
    /// assert_eq!(list.path(), Some("/"));
    /// # Ok::<(), dunlin_http2::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// What makes it malformed over HTTP/2.
    pub fn of_request<'f>(fields: impl IntoIterator<Item = Field<'f>>) -> Result<Self, Malformed> {
        let mut list = Self::default();
        for Field { name, value, is_sensitive } in fields {
            let class = class_of(name.as_bytes(), value);
            list.push(name.as_bytes(), value, FieldFlags { class, is_sensitive });
        }
        list.finish(MessageKind::Request { is_extended_connect_enabled: false });
        list.verdict.map_or(Ok(()), |(_, verdict)| verdict).map(|()| list)
    }

    /// Fields in the order they came in, pseudo-header fields first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReceivedField<'_>> + '_ {
        self.fields.iter().map(|entry| self.field(entry))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the first field of this name, given in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|entry| self.has_name(entry, name)).map(|entry| self.value(entry))
    }

    /// The values of all fields of this name, given in lower case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.fields.iter().filter(move |entry| self.has_name(entry, name)).map(|entry| self.value(entry))
    }

    /// All crumbs of `cookie`, joined again (RFC 9113 §8.2.3).
    pub fn cookie(&self) -> Option<Vec<u8>> {
        let mut crumbs = self.get_all("cookie");
        let mut joined = crumbs.next()?.to_vec();
        for crumb in crumbs {
            joined.extend_from_slice(b"; ");
            joined.extend_from_slice(crumb);
        }
        Some(joined)
    }

    /// `:method` of a request.
    pub fn method(&self) -> Option<&str> {
        self.pseudo(Class::Method)
    }

    /// `:scheme` of a request.
    pub fn scheme(&self) -> Option<&str> {
        self.pseudo(Class::Scheme)
    }

    /// `:authority` of a request.
    pub fn authority(&self) -> Option<&str> {
        self.pseudo(Class::Authority)
    }

    /// `:path` of a request.
    pub fn path(&self) -> Option<&str> {
        self.pseudo(Class::Path)
    }

    /// `:protocol` of an extended CONNECT (RFC 8441 §4).
    pub fn protocol(&self) -> Option<&str> {
        self.pseudo(Class::Protocol)
    }

    /// `:status` of a response, if it is three digits.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// `content-length`, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The size that SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 §6.5.2): octets of names and
    /// values, and 32 for each field.
    pub fn size(&self) -> usize {
        self.size
    }

    pub(super) fn host(&self) -> Option<&[u8]> {
        self.entry(self.host).map(|entry| self.value(entry))
    }

    pub(super) fn fault(&self) -> Option<Malformed> {
        self.fault
    }

    /// The pseudo-header fields that are there, a bit for each.
    pub(super) fn pseudo_mask(&self) -> u8 {
        let bit = |(index, &place): (usize, &u16)| u8::from(place != 0) << index;
        self.pseudo.iter().enumerate().map(bit).fold(0, |mask, bit| mask | bit)
    }

    /// Whether fields were left out, because there were too many or they were too large.
    pub(crate) fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.pseudo = [0; Class::PSEUDO];
        self.host = 0;
        self.status = None;
        self.content_length = None;
        self.fault = None;
        self.size = 0;
        self.is_truncated = false;
        self.verdict = None;
    }

    /// All fields are there: judges them as what they are thought to be.
    pub(crate) fn finish(&mut self, kind: MessageKind) {
        self.verdict = Some((kind, rules::judge(self, kind)));
    }

    pub(super) fn verdict(&self) -> Option<(MessageKind, Result<(), Malformed>)> {
        self.verdict
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.fields.capacity() * size_of::<Entry>()
    }

    /// Counts a field that is left out.
    pub(crate) fn skip(&mut self, len: usize) {
        self.size = self.size.saturating_add(len + 32);
        self.is_truncated = true;
    }

    /// Adds a field. The caller keeps the list below its limits, which are far below the sizes of the
    /// integers here.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8], flags: FieldFlags) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.push_written(start, name.len(), flags);
    }

    /// Adds the field whose name and value were appended to [`Self::bytes_mut`] from `start` on.
    pub(crate) fn push_written(&mut self, start: usize, name_len: usize, flags: FieldFlags) {
        let end = self.bytes.len();
        self.size += end - start + 32;
        self.fields.push(Entry {
            name: start as u32,
            value: (start + name_len) as u32,
            end: end as u32,
            is_sensitive: flags.is_sensitive,
        });
        self.note(flags.class);
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn note(&mut self, class: Class) {
        let place = self.fields.len() as u16;
        if let Some(pseudo) = class.pseudo() {
            if self.pseudo[usize::from(pseudo)] != 0 {
                self.blame(Malformed::PseudoRepeated);
            }
            self.pseudo[usize::from(pseudo)] = place;
            if class == Class::Status {
                self.note_status();
            }
            // All before it are pseudo-header fields as long as their number is its own.
            let pseudo_fields = self.pseudo.iter().filter(|&&place| place != 0).count();
            if pseudo_fields != usize::from(place) {
                self.blame(Malformed::PseudoOrder);
            }
            return;
        }
        match class {
            Class::Host => self.host = place,
            Class::ContentLength => self.note_content_length(),
            Class::Malformed(fault) => self.blame(fault),
            _ => {}
        }
    }

    #[cold]
    fn blame(&mut self, fault: Malformed) {
        self.fault.get_or_insert(fault);
    }

    fn note_status(&mut self) {
        let value = self.fields.last().map_or(&[][..], |entry| self.value(entry));
        self.status = match value {
            digits @ [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => {
                Some(digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
            }
            _ => None,
        };
    }

    fn note_content_length(&mut self) {
        let value = self.fields.last().map_or(&[][..], |entry| self.value(entry));
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<u64>().ok());
        match (number, self.content_length) {
            (Some(number), None) if is_number => self.content_length = Some(number),
            // RFC 9110 §8.6: the same number twice may be taken as one.
            (Some(number), Some(before)) if is_number && number == before => {}
            _ => self.blame(Malformed::ContentLength),
        }
    }

    fn entry(&self, place: u16) -> Option<&Entry> {
        self.fields.get(usize::from(place).checked_sub(1)?)
    }

    fn pseudo_entry(&self, class: Class) -> Option<&Entry> {
        self.entry(self.pseudo[usize::from(class.pseudo()?)])
    }

    fn pseudo(&self, class: Class) -> Option<&str> {
        let entry = self.pseudo_entry(class)?;
        std::str::from_utf8(self.value(entry)).ok()
    }

    fn range(&self, from: u32, to: u32) -> &[u8] {
        let range: Range<usize> = from as usize..to as usize;
        self.bytes.get(range).unwrap_or_default()
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        self.range(entry.value, entry.end)
    }

    fn has_name(&self, entry: &Entry, name: &str) -> bool {
        self.range(entry.name, entry.value) == name.as_bytes()
    }

    fn field(&self, entry: &Entry) -> ReceivedField<'_> {
        // A name with other octets makes the list malformed, and nobody gets to see it.
        let name = std::str::from_utf8(self.range(entry.name, entry.value)).unwrap_or_default();
        ReceivedField { name, value: self.value(entry), is_sensitive: entry.is_sensitive }
    }
}

/// What is known of a field besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldFlags {
    pub(crate) class: Class,
    pub(crate) is_sensitive: bool,
}

// Values of sensitive fields stay out of logs.
impl fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |field: ReceivedField<'_>| match field.is_sensitive {
            true => "(sensitive)".to_owned(),
            false => field.value.escape_ascii().to_string(),
        };
        f.debug_map().entries(self.iter().map(|field| (field.name, value(field)))).finish()
    }
}
