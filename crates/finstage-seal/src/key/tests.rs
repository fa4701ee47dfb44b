use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A row of NIST's files: key, nonce, ciphertext, additional data, tag, and the plaintext, or nothing
/// where the file says FAIL.
struct Row(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

/// From `gcmDecrypt256.rsp` of NIST's CAVP (CAVS 14.0, Aug 31 2012): nonces of 96 bits, tags of 128.
const CAVP: &[Row] = &[
    Row(
        "f5a2b27c74355872eb3ef6c5feafaa740e6ae990d9d48c3bd9bb8235e589f010",
        "58d2240f580a31c1d24948e9",
        "",
        "",
        "15e051a5e4a5f5da6cea92e2ebee5bac",
        Some(""),
    ),
    Row(
        "e5a8123f2e2e007d4e379ba114a2fb66e6613f57c72d4e4f024964053028a831",
        "51e43385bf533e168427e1ad",
        "",
        "",
        "38fe845c66e66bdd884c2aecafd280e6",
        None,
    ),
    Row(
        "6dfdafd6703c285c01f14fd10a6012862b2af950d4733abb403b2e745b26945d",
        "3749d0b3d5bacb71be06ade6",
        "",
        "c0d249871992e70302ae008193d1e89f",
        "4aa4cc69f84ee6ac16d9bfb4e05de500",
        Some(""),
    ),
    Row(
        "2c392a5eb1a9c705371beda3a901c7c61dca4d93b4291de1dd0dd15ec11ffc45",
        "0723fb84a08f4ea09841f32a",
        "",
        "140be561b6171eab942c486a94d33d43",
        "aa0e1c9b57975bfc91aa137231977d2c",
        None,
    ),
    Row(
        "4c8ebfe1444ec1b2d503c6986659af2c94fafe945f72c1e8486a5acfedb8a0f8",
        "473360e0ad24889959858995",
        "d2c78110ac7e8f107c0df0570bd7c90c",
        "",
        "c26a379b6d98ef2852ead8ce83a833a7",
        Some("7789b41cb3ee548814ca0b388c10b343"),
    ),
    Row(
        "3934f363fd9f771352c4c7a060682ed03c2864223a1573b3af997e2ababd60ab",
        "efe2656d878c586e41c539c4",
        "e0de64302ac2d04048d65a87d2ad09fe",
        "",
        "33cbd8d2fb8a3a03e30c1eb1b53c1d99",
        Some("697aff2d6b77e5ed6232770e400c1ead"),
    ),
    Row(
        "c997768e2d14e3d38259667a6649079de77beb4543589771e5068e6cd7cd0b14",
        "835090aed9552dbdd45277e2",
        "9f6607d68e22ccf21928db0986be126e",
        "",
        "f32617f67c574fd9f44ef76ff880ab9f",
        None,
    ),
    Row(
        "e9d381a9c413bee66175d5586a189836e5c20f5583535ab4d3f3e612dc21700e",
        "23e81571da1c7821c681c7ca",
        "a25f3f580306cd5065d22a6b7e9660110af7204bb77d370f7f34bee547feeff7b32a596fce29c9040e68b1589aad48da\
         881990",
        "6f39c9ae7b8e8a58a95f0dd8ea6a9087cbccdfd6",
        "5b6dcd70eefb0892fab1539298b92a4b",
        None,
    ),
    Row(
        "6450d4501b1e6cfbe172c4c8570363e96b496591b842661c28c2f6c908379cad",
        "7e4262035e0bf3d60e91668a",
        "5a99b336fd3cfd82f10fb08f7045012415f0d9a06bb92dcf59c6f0dbe62d433671aacb8a1c52ce7bbf6aea372bf51e2b\
         a79406",
        "f1c522f026e4c5d43851da516a1b78768ab18171",
        "fe93b01636f7bb0458041f213e98de65",
        Some(
            "17449e236ef5858f6d891412495ead4607bfae2a2d735182a2a0242f9d52fc5345ef912dbe16f3bb4576fe3bcafe\
             336dee6085",
        ),
    ),
    Row(
        "90f2e71ccb1148979cb742efc8f921de95457d898c84ce28edeed701650d3a26",
        "aba58ad60047ba553f6e4c98",
        "3fc77a5fe9203d091c7916587c9763cf2e4d0d53ca20b078b851716f1dab4873fe342b7b301402f015d00263bf3f77c5\
         8a99d6",
        "2abe465df6e5be47f05b92c9a93d76ae3611fac5",
        "9cb3d04637048bc0bddef803ffbb56cf",
        Some(
            "1d21639640e11638a2769e3fab78778f84be3f4a8ce28dfd99cb2e75171e05ea8e94e30aa78b54bb402b39d61361\
             6a8ed951dc",
        ),
    ),
    Row(
        "5f72046245d3f4a0877e50a86554bfd57d1c5e073d1ed3b5451f6d0fc2a8507a",
        "ea6f5b391e44b751b26bce6f",
        "0e6e0b2114c40769c15958d965a14dcf50b680e0185a4409d77d894ca15b1e698dd83b3536b18c05d8cd0873d1edce81\
         50ecb5",
        "9b3a68c941d42744673fb60fea49075eae77322e7e70e34502c115b6495ebfc796d6290807653c6b53cd84281bd03116\
         56d0013f44619d2748177e99e8f8347c989a7b59f9d8dcf00f31db0684a4a83e037e8777bae55f799b0d",
        "fdaaff86ceb937502cd9012d03585800",
        Some(
            "b0a881b751cc1eb0c912a4cf9bd971983707dbd2411725664503455c55db25cdb19bc669c2654a3a8011de6bf7ef\
             f3f9f07834",
        ),
    ),
    Row(
        "8b37c4b8cf634704920059866ad96c49e9da502c63fca4a3a7a4dcec74cb0610",
        "cb59344d2b06c4ae57cd0ea4",
        "66ab935c93555e786b775637a3",
        "",
        "d8733acbb564d8afaa99d7ca2e2f92a9",
        None,
    ),
    Row(
        "a71dac1377a3bf5d7fb1b5e36bee70d2e01de2a84a1c1009ba7448f7f26131dc",
        "c5b60dda3f333b1146e9da7c",
        "43af49ec1ae3738a20755034d6",
        "",
        "6f80b6ef2d8830a55eb63680a8dff9e0",
        Some("5b87141335f2becac1a559e05f"),
    ),
];

/// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", as submitted to
/// NIST.
const SUBMISSION: &[Row] = &[
    Row(
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "",
        "530f8afbc74536b9a963b4f1c4cb738b",
        Some(""),
    ),
    Row(
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "",
        "d0d1c8a799996bf0265b98b5d48ab919",
        Some("00000000000000000000000000000000"),
    ),
    Row(
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
         c5f61e6393ba7a0abcc9f662898015ad",
        "",
        "b094dac5d93471bdec1a502270e3cc6c",
        Some(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6\
             b525b16aedf5aa0de657ba637b391aafd255",
        ),
    ),
    Row(
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
         c5f61e6393ba7a0abcc9f662",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "76fc6ece0f4e1768cddf8853bb2d551b",
        Some(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6\
             b525b16aedf5aa0de657ba637b39",
        ),
    ),
];

#[test]
fn messages_of_nist_are_opened_and_its_failures_refused() {
    let mut failures = 0;
    for Row(key, nonce, text, bound, tag, plain) in CAVP.iter().chain(SUBMISSION) {
        let key = Secret::new(hex(key).try_into().unwrap());
        let material = Material::new("k".parse().unwrap(), Arc::new(key));
        let nonce = hex(nonce).try_into().unwrap();
        let (text, bound) = (hex(text), hex(bound));
        let tag: [u8; TAG_BYTES] = hex(tag).try_into().unwrap();
        let message = Message { nonce, bound: &bound, body: &text };
        let mut opened = vec![0x55; text.len()];
        let is_open = material.open(message, &tag, &mut opened);
        assert_eq!(is_open, plain.is_some(), "nonce {nonce:02x?}");
        let Some(plain) = plain else {
            assert!(opened.iter().all(|&byte| byte == 0), "nothing of it is left");
            failures += 1;
            continue;
        };
        assert_eq!(opened, hex(plain));

        let (mut sealed, mut sealed_tag) = (vec![0; text.len()], [0; TAG_BYTES]);
        let message = Message { nonce, bound: &bound, body: &opened };
        material.seal(message, &mut sealed, &mut sealed_tag);
        assert_eq!((sealed, sealed_tag), (text, tag));
    }
    assert_eq!((CAVP.len() + SUBMISSION.len(), failures), (17, 5));
}

#[test]
fn additional_data_are_the_bytes_that_the_page_names() {
    let bound = Bound::of("k-1".parse().unwrap());
    let place = crate::envelope::Place { sid: 0x0102_0304, seq: 0x1112_1314_1516_1718 };
    let expected = hex("01 03 6b2d31 01020304 1112131415161718");
    assert_eq!(bound.at(&place.nonce()).as_ref(), expected);
    assert_eq!(place.nonce().to_vec(), hex("01020304 1112131415161718"));
}

#[test]
fn a_key_of_another_length_and_one_that_is_no_base64_are_told_apart() {
    let good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let key = decode_key(good).unwrap();
    assert_eq!(key.expose()[..3], [0, 1, 2]);
    for (text, error) in [
        ("", BadKey::Length { found: 0 }),
        ("AAECAwQFBgcICQoLDA0ODw==", BadKey::Length { found: 16 }),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", BadKey::Length { found: 33 }),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", BadKey::Base64 { character: 44 }),
        ("AAEC!wQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", BadKey::Base64 { character: 5 }),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", BadKey::Base64 { character: 43 }),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", BadKey::Base64 { character: 45 }),
    ] {
        assert_eq!(decode_key(text).unwrap_err(), error, "{text:?}");
    }
    let long = "A".repeat(1 << 20);
    assert_eq!(decode_key(&long).unwrap_err(), BadKey::Length { found: (1 << 20) / 4 * 3 });
    let words = BadKey::Length { found: 16 }.to_string();
    assert_eq!(words, "a key has 32 bytes, this one has 16: make one with `finstage keys new`");
}

#[test]
fn names_of_keys_are_short_and_plain() {
    for good in ["k", "A.b_c-9", &"x".repeat(32)] {
        assert_eq!(good.parse::<KeyId>().unwrap().to_string(), *good);
    }
    for bad in ["", "a b", "a\"", "é", "a\n", &"x".repeat(33)] {
        assert!(bad.parse::<KeyId>().is_err(), "{bad:?}");
    }
}

#[test]
fn keys_that_are_made_differ() {
    let (a, b) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
    assert_ne!(a.key.expose(), b.key.expose());
    assert!(a.id().to_string().starts_with("k-"));
}
