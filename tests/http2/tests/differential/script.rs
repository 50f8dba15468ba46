//! What a seed stands for: settings, requests, responses and how each of them ends.

use bytes::Bytes;

/// Header fields in the order they are sent.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// Repeatable randomness (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Once in `times`.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What one side announces, and what only our engine has.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) window: u32,
    pub(crate) connection_window: u32,
    pub(crate) max_concurrent: u32,
    pub(crate) max_frame_size: u32,
    pub(crate) header_table_size: u32,
    pub(crate) max_header_list_size: u32,
    pub(crate) encoder_table_size: u32,
    pub(crate) is_window_growing: bool,
}

/// Content and what comes behind it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) trailers: Option<Fields>,
    /// END_STREAM comes with an empty DATA frame of its own, even if there is no content.
    pub(crate) has_empty_end: bool,
    /// The sender waits for room before each chunk.
    pub(crate) is_patient: bool,
}

impl Body {
    /// Whether the headers end the message.
    pub(crate) fn is_none(&self) -> bool {
        self.chunks.is_empty() && self.trailers.is_none() && !self.has_empty_end
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// When the server begins with its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With the request's headers.
    AtOnce,
    /// After the request's last octet.
    AfterRequest,
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides say all they have.
    Clean,
    /// The server says all it has without a look at the request's content, and lets go of the stream.
    Early,
    /// The client resets once it has the response's headers. The server waits for that.
    ClientReset { code: u32, ends_request: bool },
    /// The client resets after it has sent some chunks, whatever came until then.
    ClientGivesUp { code: u32, chunks: usize },
    /// The client takes the response's headers and lets go of the stream.
    ClientLetsGo,
    /// The server resets after so many chunks, or before its headers.
    ServerReset { code: u32, chunks: Option<usize> },
    /// `content-length` of the request is wrong.
    WrongRequestLength,
    /// `content-length` of the response is wrong.
    WrongResponseLength,
}

/// One request and its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) request_fields: Fields,
    pub(crate) request: Body,
    pub(crate) begin: Begin,
    pub(crate) informational: Vec<(u16, Fields)>,
    pub(crate) status: u16,
    pub(crate) response_fields: Fields,
    pub(crate) response: Body,
    pub(crate) ending: Ending,
}

/// All that happens on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Octets that the link holds in each direction.
    pub(crate) capacity: usize,
    pub(crate) client: Settings,
    pub(crate) server: Settings,
    /// Exchanges that the client has at work at a time.
    pub(crate) parallel: usize,
    /// The server begins its shutdown with this request.
    pub(crate) shutdown_after: Option<usize>,
    pub(crate) exchanges: Vec<Exchange>,
}

impl Script {
    pub(crate) fn of(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let has_large_lists = random.one_in(4);
        let list_size = if has_large_lists { 128 << 10 } else { 32 << 10 };
        let capacity = random.pick(&[1, 7, 64, 1000, 16 << 10, 64 << 10, 1 << 20]);
        let (client, server) = (settings(random, list_size), settings(random, list_size));
        let (mut empty_frames, count) = (30, 1 + random.below(10));
        let scope = Scope { capacity, has_large_lists };
        let exchanges: Vec<Exchange> = (0..count)
            .map(|index| exchange(random, index, scope, (client.window, server.window), &mut empty_frames))
            .collect();
        let shutdown_after = random.one_in(4).then(|| 1 + random.below(count));
        let parallel = random.pick(&[1, 2, 4, 16]);
        Self { capacity, client, server, parallel, shutdown_after, exchanges }
    }
}

fn settings(random: &mut Random, max_header_list_size: u32) -> Settings {
    Settings {
        window: random.pick(&[1, 20, 300, 5000, 16_384, 65_535, 65_535, 200_000]),
        connection_window: random.pick(&[65_535, 65_535, 100_000, 1 << 20]),
        max_concurrent: random.pick(&[1, 2, 3, 10, 100]),
        max_frame_size: random.pick(&[16_384, 16_384, 16_385, 50_000, 1 << 20, (1 << 24) - 1]),
        header_table_size: random.pick(&[0, 100, 4096, 4096, 20_000]),
        max_header_list_size,
        encoder_table_size: random.pick(&[0, 100, 4096, 4096]),
        is_window_growing: random.one_in(2),
    }
}

/// What bounds the size of things.
#[derive(Clone, Copy)]
struct Scope {
    capacity: usize,
    has_large_lists: bool,
}

fn exchange(
    random: &mut Random,
    index: usize,
    scope: Scope,
    (client_window, server_window): (u32, u32),
    empty_frames: &mut usize,
) -> Exchange {
    let ending = ending(random);
    let mut method = random.pick(&["GET", "POST", "POST", "PUT", "DELETE", "HEAD", "PATCH", "QUERY"]);
    let mut path = format!("/{index}");
    if random.one_in(2) {
        path.push_str(random.pick(&["?", "/a/b", "/%7e/x?y=z&z", "/a//b/../c", "/:@!$'()*,;="]));
    }
    let is_broken = |ending| !matches!(ending, Ending::Clean | Ending::Early);
    if is_broken(ending) && method == "HEAD" {
        method = "POST";
    }
    // A window of one octet is a round trip for each: large bodies are for those who can take them.
    let most = |window: u32| (window as usize * 50).min(scope.capacity.saturating_mul(1000)).min(250_000);
    let mut request = body(random, most(server_window), scope, empty_frames);
    let mut response = body(random, most(client_window), scope, empty_frames);
    let mut request_fields = fields(random, scope.has_large_lists, true);
    let mut response_fields = fields(random, scope.has_large_lists, false);
    let mut status = random.pick(&[200, 200, 200, 204, 304, 404, 500, 599, 299]);
    if method == "HEAD" || matches!(status, 204 | 304) {
        // Nothing but headers; a length may be announced that no content follows.
        if is_broken(ending) {
            status = 200;
        } else {
            response.chunks.clear();
            response.trailers = None;
            if status != 204 && random.one_in(2) {
                response_fields.push(("content-length".to_owned(), b"1234".to_vec()));
                // `h2` takes a length with 304 (RFC 9110 §8.6) only if the headers end the response.
                response.has_empty_end &= method == "HEAD";
            }
        }
    } else if random.one_in(3) && matches!(ending, Ending::Clean | Ending::Early) {
        response_fields.push(length(response.content().len()));
    }
    let reads_all = matches!(ending, Ending::Clean | Ending::ServerReset { .. } | Ending::Early);
    if reads_all && !request.is_none() && random.one_in(3) {
        request_fields.push(length(request.content().len()));
    }
    let wrong = |random: &mut Random, body: &mut Body| {
        body.chunks.push(Bytes::from(vec![7; 40]));
        let len = body.content().len();
        length(if random.one_in(2) { len - 1 - random.below(39) } else { len + 1 + random.below(9) })
    };
    let mut begin = if random.one_in(2) { Begin::AtOnce } else { Begin::AfterRequest };
    match ending {
        Ending::WrongRequestLength => {
            begin = Begin::AfterRequest;
            let field = wrong(random, &mut request);
            request_fields.push(field);
        }
        Ending::WrongResponseLength => {
            let field = wrong(random, &mut response);
            response_fields.push(field);
        }
        Ending::ClientReset { ends_request: false, .. } | Ending::ClientGivesUp { .. } => {
            begin = Begin::AtOnce;
        }
        Ending::Early => begin = Begin::AtOnce,
        _ => {}
    }
    let interim = if random.one_in(4) { 1 + random.below(3) } else { 0 };
    let informational =
        (0..interim).map(|_| (random.pick(&[100, 102, 103, 199]), small_fields(random))).collect();
    Exchange {
        method,
        path,
        request_fields,
        request,
        begin,
        informational,
        status,
        response_fields,
        response,
        ending,
    }
}

fn ending(random: &mut Random) -> Ending {
    // REFUSED_STREAM is what an engine says of itself. The last one has no name (RFC 9113 §7).
    let code = random.pick(&[0, 1, 2, 5, 8, 8, 11, 13, 0x1234_5678]);
    match random.below(16) {
        0 | 1 => Ending::Early,
        2 => Ending::ClientReset { code, ends_request: false },
        3 => Ending::ClientReset { code, ends_request: true },
        4 => Ending::ClientGivesUp { code, chunks: random.below(6) },
        5 => Ending::ClientLetsGo,
        6 => Ending::ServerReset { code, chunks: None },
        7 => Ending::ServerReset { code, chunks: Some(random.below(6)) },
        8 => Ending::WrongRequestLength,
        9 => Ending::WrongResponseLength,
        _ => Ending::Clean,
    }
}

fn length(len: usize) -> (String, Vec<u8>) {
    ("content-length".to_owned(), len.to_string().into_bytes())
}

fn body(random: &mut Random, most: usize, scope: Scope, empty_frames: &mut usize) -> Body {
    let count = random.pick(&[0, 1, 1, 2, 3, 8]);
    let mut left = most;
    let mut chunks = Vec::new();
    for _ in 0..count {
        let len = random.pick(&[0, 1, 5, 100, 1000, 16_383, 16_384, 16_385, 65_536, 100_000]);
        let len = if random.one_in(3) { random.below(len + 1) } else { len };
        let len = len.min(left);
        left -= len;
        if len == 0 {
            // Both sides bound how many of these there may be on a connection.
            if *empty_frames == 0 {
                continue;
            }
            *empty_frames -= 1;
        }
        let mut seed = random.next();
        let octets = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (seed >> 56) as u8
        });
        chunks.push(octets.take(len).collect::<Bytes>());
    }
    let trailers = random.one_in(3).then(|| match random.below(4) {
        0 => fields(random, scope.has_large_lists, false),
        _ => small_fields(random),
    });
    Body { chunks, trailers, has_empty_end: random.one_in(4), is_patient: random.one_in(2) }
}

fn small_fields(random: &mut Random) -> Fields {
    (0..1 + random.below(3)).map(|_| field(random, 40)).collect()
}

fn fields(random: &mut Random, has_large_lists: bool, is_request: bool) -> Fields {
    let mut fields: Fields = (0..random.below(12)).map(|_| field(random, 60)).collect();
    if random.one_in(6) {
        fields.push(field(random, if has_large_lists { 60_000 } else { 20_000 }));
    }
    // Several fields of one name keep their order (RFC 9110 §5.3).
    for _ in 0..random.below(4) {
        let (_, value) = field(random, 20);
        fields.push(("x-repeated".to_owned(), value));
    }
    if random.one_in(3) {
        let name = if is_request { "cookie" } else { "set-cookie" };
        fields.extend((0..1 + random.below(3)).map(|crumb| (name.to_owned(), format!("c{crumb}=v").into())));
    }
    if is_request && random.one_in(4) {
        fields.push(("te".to_owned(), b"trailers".to_vec()));
    }
    fields
}

fn field(random: &mut Random, most: usize) -> (String, Vec<u8>) {
    let names =
        ["accept", "x-a", "x-long-name-of-a-field-0123456789", "authorization", "x-bin", "date", "via"];
    let name = match random.below(4) {
        0 => format!("x-{}", random.below(1000)),
        _ => random.pick(&names).to_owned(),
    };
    let len = if most > 1000 { most - random.below(most / 2) } else { random.below(most) };
    let is_binary = random.one_in(3);
    let mut value: Vec<u8> = (0..len)
        .map(|_| match random.next() as u8 {
            octet if is_binary && octet >= 0x80 => octet,
            octet if is_binary && octet < 4 => b'\t',
            octet => 0x20 + octet % 0x5f,
        })
        .collect();
    // Values neither begin nor end with white space (RFC 9113 §8.2.1).
    for end in [0, len.saturating_sub(1)] {
        if let Some(octet @ (b' ' | b'\t')) = value.get_mut(end) {
            *octet = b'~';
        }
    }
    (name, value)
}
