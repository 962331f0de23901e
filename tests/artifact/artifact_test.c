// artifact_test.c - sealing, opening, every flipped bit, keys and trust.
#include "support/test.h"

#include <string.h>

#include "artifact/artifact.h"

// A small artifact with all that decode wants.
static void make_artifact(const SecretKey *keys, size_t key_count, Buffer *out) {
    PlanNode root = {.kind = NODE_SEQUENCE, .end = 1, .limit = -1};
    Buffer strings = {0};
    buffer_add_u32(&strings, 0);
    uint32_t id = (uint32_t)strings.len;
    buffer_add_u32(&strings, 4);
    buffer_add(&strings, STR("demo"));
    Plan plan = {.nodes = &root, .node_count = 1, .leaf_count = 1};
    plan.flow.id = id;
    plan.flow.flow_namespace = id;
    Buffer tables = {0};
    plan_encode(&plan, &tables);
    Str leaf = STR("not really bytecode");
    Buffer leaves = {0};
    chunks_encode(&leaf, 1, &leaves);
    ArtifactFile files[] = {
        {STR("b.txt"), STR("second")},
        {STR("a.txt"), STR("first") },
    };
    Buffer file_list = {0};
    files_encode(files, 2, &file_list);
    ArtifactWriter *writer = artifact_writer_new();
    artifact_add(writer, "STRS", buffer_str(&strings), true);
    artifact_add(writer, "PLAN", buffer_str(&tables), true);
    artifact_add(writer, "MANI",
                 STR("{\"host_api\":1,\"leaf_abi\":1,\"bytecode\":\"x\",\"source_digest\":\"1\"}"),
                 true);
    artifact_add(writer, "LEAF", buffer_str(&leaves), true);
    artifact_add(writer, "FILE", buffer_str(&file_list), false);
    artifact_seal(writer, keys, key_count, out);
    artifact_writer_free(writer);
    buffer_release(&strings);
    buffer_release(&tables);
    buffer_release(&leaves);
    buffer_release(&file_list);
}

static void what_is_sealed_opens(void **state) {
    (void)state;
    Arena arena = {0};
    Buffer bytes = {0};
    make_artifact(NULL, 0, &bytes);
    Artifact artifact;
    assert_ok(artifact_open(buffer_str(&bytes), &artifact));
    assert_ok(artifact_decode(&artifact, STR("x"), 1, &arena));
    assert_str_equal(plan_text(&artifact.plan, artifact.plan.flow.id), STR("demo"));
    assert_int_equal(artifact.file_count, 2);
    assert_str_equal(artifact.files[0].name, STR("a.txt"));
    assert_str_equal(chunks_get(&artifact.leaves, 0), STR("not really bytecode"));
    buffer_release(&bytes);
    arena_release(&arena);
}

// Without any trust file: opening alone notices.
static void refuse_every_flipped_bit(const SecretKey *keys, size_t key_count) {
    Buffer bytes = {0};
    make_artifact(keys, key_count, &bytes);
    Artifact artifact;
    assert_ok(artifact_open(buffer_str(&bytes), &artifact));
    assert_int_equal(artifact.signature_count, key_count);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
        Err err = artifact_open(buffer_str(&bytes), &artifact);
        if (err.code != ERR_REFUSED) fail_msg("bit %zu was not noticed", bit);
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ (1 << bit % 8));
    }
    buffer_release(&bytes);
}

static void every_flipped_bit_is_refused(void **state) {
    (void)state;
    assert_ok(crypto_init());
    PublicKey public_key;
    SecretKey secret_keys[2];
    key_generate(&public_key, &secret_keys[0]);
    key_generate(&public_key, &secret_keys[1]);
    refuse_every_flipped_bit(NULL, 0);
    refuse_every_flipped_bit(secret_keys, 2);
}

static void a_block_signed_for_other_content_is_refused(void **state) {
    (void)state;
    PublicKey public_key;
    SecretKey secret_key;
    key_generate(&public_key, &secret_key);
    secret_key.key[0] ^= 1;  // signs, but not for the public key it names
    Buffer bytes = {0};
    make_artifact(&secret_key, 1, &bytes);
    Artifact artifact;
    Err err = artifact_open(buffer_str(&bytes), &artifact);
    assert_string_equal(err.text, "the artifact's signature does not match its content");
    buffer_release(&bytes);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    Buffer bytes = {0};
    make_artifact(NULL, 0, &bytes);
    Artifact artifact;
    for (size_t len = 0; len < bytes.len; len++) {
        Err err = artifact_open(str_slice(buffer_str(&bytes), 0, len), &artifact);
        assert_int_equal(err.code, ERR_REFUSED);
    }
    buffer_add_char(&bytes, '\0');
    Err err = artifact_open(buffer_str(&bytes), &artifact);
    assert_int_equal(err.code, ERR_REFUSED);
    buffer_release(&bytes);
}

static void the_same_input_gives_the_same_bytes(void **state) {
    (void)state;
    Buffer a = {0};
    Buffer b = {0};
    make_artifact(NULL, 0, &a);
    make_artifact(NULL, 0, &b);
    assert_str_equal(buffer_str(&a), buffer_str(&b));
    buffer_release(&a);
    buffer_release(&b);
}

static void other_versions_are_refused_with_both_numbers(void **state) {
    (void)state;
    Arena arena = {0};
    Buffer bytes = {0};
    make_artifact(NULL, 0, &bytes);
    Artifact artifact;
    assert_ok(artifact_open(buffer_str(&bytes), &artifact));
    Err err = artifact_decode(&artifact, STR("y"), 1, &arena);
    assert_string_equal(err.text, "the artifact holds bytecode 'x', this runtime runs 'y'");
    err = artifact_decode(&artifact, STR("x"), 3, &arena);
    assert_string_equal(err.text, "the artifact needs leaf ABI 1, this runtime has 3");
    buffer_release(&bytes);
    arena_release(&arena);
}

static void a_secret_key_needs_its_password(void **state) {
    (void)state;
    Arena arena = {0};
    PublicKey public_key;
    SecretKey secret_key;
    key_generate(&public_key, &secret_key);
    Str text = {0};
    SecretKey back;
    assert_ok(secret_key_to_text(&arena, &secret_key, STR("open sesame"), &text));
    assert_true(secret_key_text_is_encrypted(text));
    Err err = secret_key_from_text(text, STR("close"), &back);
    assert_string_equal(err.text, "the password of the secret key is wrong");
    assert_ok(secret_key_from_text(text, STR("open sesame"), &back));
    assert_memory_equal(back.key, secret_key.key, sizeof back.key);
    assert_ok(secret_key_to_text(&arena, &secret_key, STR(""), &text));
    assert_false(secret_key_text_is_encrypted(text));
    assert_ok(secret_key_from_text(text, STR(""), &back));
    PublicKey public_back;
    assert_ok(public_key_from_text(public_key_to_text(&arena, &public_key), &public_back));
    assert_memory_equal(&public_back, &public_key, sizeof public_key);
    arena_release(&arena);
}

static void trust_names_keys_namespaces_and_days(void **state) {
    (void)state;
    Arena arena = {0};
    PublicKey public_key;
    SecretKey secret_key;
    key_generate(&public_key, &secret_key);
    Buffer bytes = {0};
    make_artifact(&secret_key, 1, &bytes);
    Artifact artifact;
    assert_ok(artifact_open(buffer_str(&bytes), &artifact));
    Str blob = str_trim(public_key_to_text(&arena, &public_key));
    blob = str_slice(blob, str_find_char(blob, '\n', 0) + 1, blob.len);
    static const struct {
        const char *rest, *flow_namespace;
        bool is_trusted;
    } rows[] = {
        {"*",                       "company.team", true },
        {"company",                 "company.team", true },
        {"company",                 "companyx",     false},
        {"other,company.team",      "company.team", true },
        {"company.team",            "company",      false},
        {"* 2020-01-01 2020-12-31", "a",            false},
        {"* 2020-01-01 -",          "a",            true },
        {"* 2999-01-01 -",          "a",            false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Str text = str_printf(&arena, "# keys\n" STR_FMT " %s\n", STR_ARG(blob), rows[i].rest);
        Trust trust;
        assert_ok(trust_parse(text, STR("trust"), &arena, &trust));
        Err err =
            trust_check(&trust, &artifact, str_from(rows[i].flow_namespace), 1790000000, NULL);
        assert_int_equal(err.code == ERR_NONE, rows[i].is_trusted);
    }
    Trust trust;
    Err err = trust_parse(STR("nonsense *\n"), STR("trust"), &arena, &trust);
    assert_int_equal(err.code, ERR_INPUT);
    assert_ptr_equal(strstr(err.text, "trust:1:"), err.text);
    buffer_release(&bytes);
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_block_signed_for_other_content_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(other_versions_are_refused_with_both_numbers),
        cmocka_unit_test(a_secret_key_needs_its_password),
        cmocka_unit_test(trust_names_keys_namespaces_and_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
