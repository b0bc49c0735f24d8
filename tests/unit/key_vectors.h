/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors: Ed25519 is test 3 of RFC 8032; ECDSA is A.2.5 of RFC 6979, SHA-256,
 * "sample"; RSA and the encrypted keys were made by the openssl command. */
#ifndef TEST_KEY_VECTORS_H
#define TEST_KEY_VECTORS_H

#define ED_PUBLIC                                                             \
	"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
/* of its object, by sha256sum */
#define ED_ID                                                                  \
	"e45b8d1fab21a7a7550adbca559eade41e36a398f14a577f8766ec32bf237101"
static const char ed_signature[] =
	"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5a"
	"c3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027bece"
	"ea1ec40a";

static const char ec_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
	"Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
	"-----END PUBLIC KEY-----\n";
static const char ec_signature[] =
	"3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c3"
	"4d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900db"
	"b9aff4064dc4ab2f843acda8";

static const char rsa_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtYJ0P5Brudp0oaKwwdjm\n"
	"aMUpHP7Uj4wIOoJ+E420i3rbU2sO8iASJtW8w3wDqmliMoEgJVHeHsuHcgFflVoB\n"
	"/MsdhXHg/yGkoXzQemNe5V1gi601G4aUFynQrC8S1NPIONPvdKzsKA74GqfIaXIm\n"
	"Qv0mxOQP1cDEnV8LJo0aKfIaKqny9qwJjOselm2rRAPg5lv3qtARE5ua5cvLCbc3\n"
	"2BzBJO/y5i6gsiwihWb1QgWgInvNYvUD7XTg1lTH+3o7CUhnyfHkJ4qumG2tyy0K\n"
	"Sg3EfRZqEUPx9FkePTKQ6QY4wujtfuadKBANdOcPqlOhhAT8NT/u116ARCAKZaIW\n"
	"SwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
/* salt of 32 bytes */
static const char rsa_signature[] =
	"a5b51b3ba12992878ed73fd50cd5513280a6c86ee2893db59df1cc62308a"
	"f043c01700ec5ffcef67d351ec6479853bb0c0b3494e74f701e25e36080b"
	"b42442fa031602f3436e8806881d137e2a0ca006550916bb0218800dc711"
	"0f13f620dfa5b44bd89a3ce72798fc6d50365140804a745e60b7de874506"
	"c3dc22c49739191b5706a66e42576f6e255fcded7ff4216c0a2226495ae9"
	"b3291a4bd0aafa4370aa2e55e318be4bd29bd61102372210ad74d8ddbed8"
	"9155f2f6adad294a78a6cf7fe1ea1053064bcd24083fde8af6970e7e44d5"
	"1b12acce4ff7233dd9112bf8aa4619f0feee7d28099a3e2fd7459ecba6d3"
	"fc2292d0cb280844d6908e634822e6fc";
/* the longest salt that fits */
static const char rsa_long_salt[] =
	"0bdaee656e0e48ed1b8504e05613bee09a3b3abd43f2b068b1eb2690c304"
	"95582b86f1951a1837f187bf744f4d9aab67b8a0a740fa399fc733022162"
	"034ac0a7fb9c452628899c724f57c0a54fb57f3a824fdec1df9e8322fc83"
	"1bd9a38d88c9216a1d14b8f6f5b02aae7472522bb5ff7b0b65be56a69a65"
	"fd4a792d1a31afd1065c97059827e67147b327fe64e750069ceab86efd78"
	"bcb63089075a03c1828e70a69bea0ce0c5cea93bd39eb91e855ee8529fcc"
	"682285dea62f5af9f6b7595b2a02749a6ccf73301698a859798147a359b7"
	"7f98f5a857d40db05c881938849dc5a48fcd1178b6c62e09b11d39dda837"
	"30c7610d6e14eb9db5b6ea159cbfcfc5";
/* PKCS #1 v1.5: not PSS */
static const char rsa_old_padding[] =
	"063da2af6cd07476c56c9c1eb5e36c35d23012a86a1f68ed0461f123d2a7"
	"4db9b5e04b58db63730a5e487d0d20515cebd4ea87bc978a5cabd12573e9"
	"2b0d6a41abb026496ad99fbe4c8ce0571ef77dde21b490a27ecf8ba2a20b"
	"3daa46b59d30bc488239f3285e98980385dcca3ec857f78504cd8bb9752a"
	"aab6369ae1eae72d4085dd7a111e60bdd25541a6eab20996666438546791"
	"f3ea93881ec054a46cd92879fc124c73f5f2050418e8b432394e732f268f"
	"bbe44a6f494ab3929df22d8d6e2a681fe4fb28ea622b6e16825705208bab"
	"e48f1fe0bf7c45b95d5f7159d7c858553ad0964dc57bcec8d71e93d3355d"
	"ea9db8b7f07817cf6e382f972e232b30";

/* Refused: a curve and a size that are not ours. */
static const char p384_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEibF0dp3ndd0DQYDFREP8dsZQRaaY1SVy\n"
	"pE+MAzmK4vZyyp83ihOYp0zVN9okfCTDW/wh8mpHyRXi7XQCNxadhcqzhI84tll3\n"
	"JZ4+9k+UvN9kFjSa3VoPX+UW7VMAswzF\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa1024_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCwPTygs7LUdYiGkyo6qs7g+igy\n"
	"xBG7sNj1H3LRtzGfjbGoXyyawkeOkGL2eK7W6wrZJhvHS2BzmaLX6fNZxDp8OzLb\n"
	"M7ZM9E9y9a7yTZbWW9p6ElZlCT05U60Q0oEKIvx0VBT052pZTDe9SBHBUo0C2G7q\n"
	"eiZS35oWRgHRFdnoBQIDAQAB\n"
	"-----END PUBLIC KEY-----\n";

/* Encrypted by the openssl command, passphrase "carried". */
static const char ed_sealed[] =
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAiJryYrpGBjJQICQAAC\n"
	"AQgCAQEwHQYJYIZIAWUDBAEqBBDYWwJdHQZAgMjz3IHzRGkfBEBmLzP+9VNRFUYd\n"
	"a8+1UBVjLmbFq1cV/g5XQsKCFwt5OzUu95/zd+zbOshKR4UaHoUss9RHNApQmjPd\n"
	"MojKpoQb\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n";
#define ED_SEALED_PUBLIC                                                      \
	"7b4cf72d9f301f5240606d2e7f146c9ac9adc4be83825c655e46b3c02569aa8e"
static const char ed_plain[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIIR1yGGpl3OUnB0yqiq32YKN1NIG7KAxu28Ebd1sfBBl\n"
	"-----END PRIVATE KEY-----\n";
static const char ec_sealed_old[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"Proc-Type: 4,ENCRYPTED\n"
	"DEK-Info: AES-128-CBC,FEBA9F9C8F1E7AC405F01B1005AB59BB\n"
	"\n"
	"MQPAK2+n7PBfI28x+2fH+jekv2vfS9mA9qI8XZs7zb7+buHip+kSPviFRpo9k4gZ\n"
	"PKPSFoBbgfHxQN+WrVVKACk2B0sQy+MHuvzsCeOojBigU06I85dNyIeucHdtDwMH\n"
	"sWD6uZku01YxuMkY7FWI3NZnG82MHUXZKdpsgH9guzg=\n"
	"-----END EC PRIVATE KEY-----\n";
static const char ec_sealed_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEU/t40n06RlHtTb6KpBNTosHhNejZ\n"
	"SIiccDgPSWOHWf6kH3zKFuI36ekR2yRfNCIrsQbUFKG/3U6B+Ww/vrzRDg==\n"
	"-----END PUBLIC KEY-----\n";

#endif
