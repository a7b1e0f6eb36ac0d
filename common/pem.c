#include "common/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)

static void wipe(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
    }
    free(*text);
    *text = NULL;
}

void gm_pem_fini(struct gm_pem *pem)
{
    wipe(&pem->key);
    free(pem->cert);
    pem->cert = NULL;
}

static int read_text(const char *path, bool secret, char **out, struct gm_err *err)
{
    struct stat st;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = gm_err_sys(err, errno, "%.150s can't be read", path);
    } else if (secret && (st.st_mode & 077) != 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s can be read by others than its owner: chmod 0600", path);
    } else {
        rc = gm_fs_read_fd(fd, FILE_MAX_BYTES, (uint8_t **)out, &size, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

/* An encrypted key is refused, not asked a password for. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int check(const struct gm_pem *pem, const char *cert_path, const char *key_path,
                 struct gm_err *err)
{
    BIO *cert_text = BIO_new_mem_buf(pem->cert, -1);
    BIO *key_text = BIO_new_mem_buf(pem->key, -1);
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    int rc = cert_text == NULL || key_text == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        cert = PEM_read_bio_X509(cert_text, NULL, no_password, NULL);
        key = PEM_read_bio_PrivateKey(key_text, NULL, no_password, NULL);
        if (cert == NULL) {
            rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s has no certificate in PEM", cert_path);
        } else if (key == NULL) {
            rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s has no key in PEM, or one with a password",
                            key_path);
        } else if (X509_check_private_key(cert, key) != 1) {
            rc = gm_err_set(err, GM_E_CONFIG, 0, "%.100s is not the key of %.100s", key_path,
                            cert_path);
        }
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_text);
    BIO_free(cert_text);
    return rc;
}

int gm_pem_load(const char *cert_path, const char *key_path, struct gm_pem *out, struct gm_err *err)
{
    struct gm_pem pem = {0};
    int rc = read_text(cert_path, false, &pem.cert, err);
    if (rc == 0) {
        rc = read_text(key_path, true, &pem.key, err);
    }
    if (rc == 0) {
        rc = check(&pem, cert_path, key_path, err);
    }
    if (rc < 0) {
        gm_pem_fini(&pem);
        return rc;
    }
    *out = pem;
    return 0;
}
