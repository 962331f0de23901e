// open.c - from a file to an artifact that may be run.
//
// Without a trust file an artifact runs if it belongs to the caller or root and nobody else can
// write it: an artifact is code. With one, signature, namespace and date decide (design §10).
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/driver.h"

enum { TRUST_FILE_MAX = 1 << 20 };

static Err check_owner(int fd, const char *path) {
    struct stat status;
    if (fstat(fd, &status) != 0) return err_system("cannot read '%s'", path);
    // A sealed memfd cannot be changed by anybody; its mode says nothing.
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals > 0 && (seals & F_SEAL_WRITE) != 0) return err_none();
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return err_make(ERR_REFUSED,
                        "'%s' belongs to another user: copy it, or sign it and name a trust file "
                        "with --trust",
                        path);
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_make(ERR_REFUSED,
                        "'%s' can be written by others: run `chmod go-w` on it, or sign it and "
                        "name a trust file with --trust",
                        path);
    }
    return err_none();
}

static Err check_trust(const RunConfig *config, const RunTrust *trust, int fd, const char *path,
                       Artifact *artifact, Arena *arena) {
    Str trust_path = trust->path != NULL ? str_from(trust->path) : config->trust_path;
    if (trust_path.len == 0) return check_owner(fd, path);
    Str text = {0};
    Trust entries;
    const TrustEntry *signer = NULL;
    TRY(file_read(str_to_c(arena, trust_path), TRUST_FILE_MAX, arena, &text));
    TRY(trust_parse(text, trust_path, arena, &entries));
    if (artifact->signature_count == 0 && trust->allow_unsigned) {
        struct stat status;
        bool is_mine = fstat(fd, &status) == 0 && status.st_uid == geteuid();
        if (is_mine) return check_owner(fd, path);
        return err_make(ERR_REFUSED,
                        "'%s' is unsigned, and --allow-unsigned is for files of your "
                        "own only",
                        path);
    }
    // The plan's tables are data that plan_open checks; nothing of it is executed here.
    Plan plan;
    TRY(plan_open(artifact_section(artifact, "PLAN"), artifact_section(artifact, "STRS"), &plan));
    Str flow_namespace = plan_text(&plan, plan.flow.flow_namespace);
    int64_t now = clock_system()->wall_ms(clock_system()->self) / 1000;
    return trust_check(&entries, artifact, flow_namespace, now, &signer);
}

Err run_decode_artifact(Str bytes, Arena *arena, Artifact *out) {
    TRY(artifact_open(bytes, out));
    return artifact_decode(out, leaf_bytecode_version(), LEAF_ABI, arena);
}

static Err open_at(const RunConfig *config, const RunTrust *trust, const char *path, int fd,
                   Arena *arena, Artifact *out) {
    Str bytes = {0};
    TRY(artifact_read_fd(fd, path, arena, &bytes));
    TRY(artifact_open(bytes, out));
    TRY(check_trust(config, trust, fd, path, out, arena));
    return artifact_decode(out, leaf_bytecode_version(), LEAF_ABI, arena);
}

Err run_open_artifact(const RunConfig *config, const RunTrust *trust, const char *path, int fd,
                      Arena *arena, Artifact *out) {
    bool is_mine = fd < 0;
    if (is_mine) {
        // O_NONBLOCK: opening a FIFO must not wait for a writer. No link is followed.
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 && errno == ELOOP) {
            return err_make(ERR_REFUSED, "'%s' is a link: name the file itself", path);
        }
        if (fd < 0) return err_system("cannot open '%s'", path);
    }
    Err err = open_at(config, trust, path, fd, arena, out);
    if (is_mine) close(fd);
    if (err.code == ERR_NONE) return err;
    // What the reader and the checks say names the file already, or is about the bytes alone.
    Str text = str_from(err.text);
    bool names_it = str_find(text, str_from(path), 0) != STR_NOT_FOUND;
    return names_it ? err : err_wrap(err, "'%s'", path);
}
