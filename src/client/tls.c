/*-------------------------------------------------------------------------
 *
 * tls.c
 *		Whom to trust: the one place that knows OpenSSL.
 *
 * Makes the SSL_CTX that libwebsockets is given, and keeps the reason why a
 * TLS connection did not come to be, which libwebsockets does not tell.
 * Once it has, stream.c reads from it and writes to it.
 *
 * The certificate is verified here, against the host of the url, and not by
 * libwebsockets: some of its versions accept one from the future, and none
 * knows that [::1]:8080 is an address.  Nothing here is process-wide: OpenSSL
 * initialises itself, once, whoever uses it first.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "ltdb_int.h"

struct ltdbp_tls
{
	SSL_CTX    *context;
	ltdb_verify verify;
	const char *host;			/* of the url; lent */
	bool		host_is_address;
	SSL		   *ssl;			/* remembered; NULL = none */
	int			fd;				/* a duplicate of its socket */
	char		reason[LTDBP_REASON_BYTES];	/* why it failed; "" = it has not */
};

static void __attribute__((format(printf, 2, 3)))
set_reason(ltdbp_tls *tls, const char *format,...)
{
	va_list		args;
	char		text[LTDBP_REASON_BYTES];

	if (tls->reason[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ltdbp_copy_message(tls->reason, sizeof(tls->reason), text, strlen(text));
}

/* What OpenSSL complains about, in its words. */
static const char *
openssl_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	return text ? text : "unknown error";
}

/* ---- the server's certificate ---- */

/* The first name that a certificate is for; an empty string if it has none. */
static void
certificate_name(X509 *certificate, char *name, size_t name_size)
{
	GENERAL_NAMES *names = certificate ?
		X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL) : NULL;
	int			i;

	name[0] = '\0';
	for (i = 0; i < sk_GENERAL_NAME_num(names) && name[0] == '\0'; i++)
	{
		const GENERAL_NAME *candidate = sk_GENERAL_NAME_value(names, i);

		if (candidate->type == GEN_DNS)
			ltdbp_copy_message(name, name_size,
							   (const char *) ASN1_STRING_get0_data(candidate->d.dNSName),
							   (size_t) ASN1_STRING_length(candidate->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	if (name[0] == '\0' && certificate != NULL &&
		X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
								  name, (int) name_size) < 0)
		name[0] = '\0';
}

static void
explain_certificate(ltdbp_tls *tls, X509_STORE_CTX *store)
{
	int			error = X509_STORE_CTX_get_error(store);
	char		name[128];

	if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
	{
		certificate_name(X509_STORE_CTX_get0_cert(store), name, sizeof(name));
		set_reason(tls, "server certificate for \"%s\" does not match host \"%s\"", name, tls->host);
	}
	else
		set_reason(tls, "server certificate is not accepted: %s",
				   X509_verify_cert_error_string(error));
}

/* Nobody else has a say: not the callback that libwebsockets sets. */
static int
keep_verdict(int accepted, X509_STORE_CTX *store)
{
	return accepted;
}

static int
verify_certificate(X509_STORE_CTX *store, void *arg)
{
	ltdbp_tls  *tls = arg;

	if (tls->verify == LTDB_VERIFY_NOTHING)
	{
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_verify_cb(store, keep_verdict);
	if (X509_verify_cert(store) == 1)
		return 1;
	explain_certificate(tls, store);
	return 0;
}

/* ---- what happens on the connection ---- */

/*
 * The last error in OpenSSL's queue.  It has to stay there: SSL_get_error(),
 * which libwebsockets will ask, looks at it.
 */
static void
explain_error(ltdbp_tls *tls)
{
	unsigned long code = ERR_peek_last_error();

	if (code == 0)
		return;
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
		set_reason(tls, "server does not speak TLS on this port");
	else
		set_reason(tls, "TLS error: %s", openssl_reason());
}

/* OpenSSL 3.0 has no words for all that TLS 1.3 knows. */
static const char *
alert_words(int alert)
{
	if ((alert & 0xFF) == TLS13_AD_CERTIFICATE_REQUIRED)
		return "certificate required";
	return SSL_alert_desc_string_long(alert);
}

/* OpenSSL tells of every step; its SSL is const, as a rule. */
static void
watch(const SSL *ssl, int where, int result)
{
	ltdbp_tls  *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	/* libwebsockets knows names only up to the first colon */
	if (where & SSL_CB_HANDSHAKE_START)
		SSL_set_tlsext_host_name((SSL *) ssl, (tls->host_is_address ? NULL : tls->host));
	else if (where == SSL_CB_READ_ALERT && result >> 8 == SSL3_AL_FATAL)
		set_reason(tls, "server ended the TLS connection: %s", alert_words(result));
	else if (where == SSL_CB_CONNECT_EXIT && result <= 0)
		explain_error(tls);
}

/*
 * A server that does not like our certificate says so, since TLS 1.3, when we
 * have begun to write already; and it is by writing that libwebsockets then
 * finds out that it has hung up, and closes without having read why.  So the
 * connection, an SSL with this socket, is remembered until the server has
 * answered ...
 */
void
ltdbp_tls_remember(ltdbp_tls *tls, void *ssl, int fd)
{
	ltdbp_tls_forget(tls);
	if (ssl == NULL || SSL_up_ref(ssl) != 1)
		return;
	tls->ssl = ssl;
	tls->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* ... and looked at again in the end.  In use: libwebsockets still has it. */
void
ltdbp_tls_hear_out(ltdbp_tls *tls, bool in_use)
{
	char		byte;

	if (tls->ssl != NULL && tls->reason[0] == '\0' && tls->fd >= 0)
	{
		ERR_clear_error();
		if (in_use || SSL_set_fd(tls->ssl, tls->fd) == 1)
			SSL_peek(tls->ssl, &byte, sizeof(byte));
		ERR_clear_error();
	}
	if (!in_use)
		ltdbp_tls_forget(tls);
}

/* The peer has closed the socket without a word: WebSocket knows without TLS what is complete. */
static bool
hung_up(void)
{
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
	return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
#else
	return false;
#endif
}

/*
 * Reads as recv() does: -1 with EAGAIN if nothing is there, 0 if nothing will
 * be; ltdbp_tls_reason() may then say why.
 */
ssize_t
ltdbp_tls_read(ltdbp_tls *tls, void *ssl, char *bytes, size_t size)
{
	int			len;

	ERR_clear_error();
	len = SSL_read(ssl, bytes, (int) size);
	if (len > 0)
		return len;
	switch (SSL_get_error(ssl, len))
	{
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:

			/*
			 * To write is only wanted for something of TLS's own, and when
			 * there is no room: whatever makes room is followed by a read.
			 */
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_SSL:
			if (!hung_up())
				explain_error(tls);
			break;
	}
	ERR_clear_error();
	return 0;
}

/* Writes as send() does; what it did not take is to be offered again as it was. */
ssize_t
ltdbp_tls_write(ltdbp_tls *tls, void *ssl, const char *bytes, size_t len)
{
	int			written;
	int			error;

	ERR_clear_error();
	written = SSL_write(ssl, bytes, (int) len);
	if (written > 0)
		return written;
	error = SSL_get_error(ssl, written);
	if (error == SSL_ERROR_SSL && !hung_up())
		explain_error(tls);
	ERR_clear_error();
	errno = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
	return -1;
}

void
ltdbp_tls_forget(ltdbp_tls *tls)
{
	if (tls->ssl == NULL)
		return;
	SSL_free(tls->ssl);
	tls->ssl = NULL;
	if (tls->fd >= 0)
		close(tls->fd);
	tls->fd = -1;
}

/* ---- files ---- */

/* A file that can be read without waiting, and in case of a key by nobody else. */
static bool
check_file(ltdbp_tls *tls, const char *what, const char *path, bool secret)
{
	struct stat status;

	if (stat(path, &status) != 0)
		set_reason(tls, "could not access %s file \"%s\": %s", what, path, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		set_reason(tls, "%s file \"%s\" is not a regular file", what, path);
	else if (secret && (status.st_mode &
						(status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO)))
		set_reason(tls, "%s file \"%s\" has group or world access", what, path);
	return tls->reason[0] == '\0';
}

/* There is nobody to ask for the password of a key. */
static int
no_password(char *password, int size, int writing, void *arg)
{
	return -1;
}

/* Calls what loads a file; returns whether that went well. */
#define LOAD(tls, what, path, secret, call) \
	(check_file(tls, what, path, secret) && \
	 ((call) == 1 || \
	  (set_reason(tls, "could not load %s file \"%s\": %s", what, path, openssl_reason()), false)))

static bool
load_trust(ltdbp_tls *tls, const ltdb_tls_options *options)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls->context);
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->context);

	if (tls->verify == LTDB_VERIFY_NOTHING)
		return true;
	if (options->root_cert == NULL)
		SSL_CTX_set_default_verify_paths(tls->context);
	else if (!LOAD(tls, "root certificate", options->root_cert, false,
				   X509_STORE_load_locations(store, options->root_cert, NULL)))
		return false;

	if (options->crl != NULL)
	{
		if (!LOAD(tls, "certificate revocation list", options->crl, false,
				  X509_STORE_load_locations(store, options->crl, NULL)))
			return false;
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}

	if (tls->verify != LTDB_VERIFY_FULL)
		return true;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (tls->host_is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, tls->host) :
		X509_VERIFY_PARAM_set1_host(param, tls->host, 0))
		return true;
	set_reason(tls, "could not set up TLS: %s", openssl_reason());
	return false;
}

static bool
load_identity(ltdbp_tls *tls, const ltdb_tls_options *options)
{
	if (options->cert == NULL && options->key == NULL)
		return true;
	if (options->cert == NULL || options->key == NULL)
	{
		set_reason(tls, "a client certificate needs both its file and that of its private key");
		return false;
	}
	return LOAD(tls, "certificate", options->cert, false,
				SSL_CTX_use_certificate_chain_file(tls->context, options->cert)) &&
		LOAD(tls, "private key", options->key, true,
			 SSL_CTX_use_PrivateKey_file(tls->context, options->key, SSL_FILETYPE_PEM)) &&
		LOAD(tls, "private key", options->key, true, SSL_CTX_check_private_key(tls->context));
}

/* ---- making and ending ---- */

/*
 * NULL if there is no memory.  If ltdbp_tls_reason() is not empty, it cannot
 * be used.  The host is lent.
 */
ltdbp_tls *
ltdbp_tls_new(const ltdb_tls_options *options, const char *host)
{
	ltdbp_tls  *tls = ltdbp_alloc_zeroed(sizeof(*tls));
	unsigned char address[sizeof(struct in6_addr)];

	if (tls == NULL)
		return NULL;
	tls->verify = options->verify;
	tls->host = host;
	tls->host_is_address = inet_pton(AF_INET, host, address) == 1 ||
		inet_pton(AF_INET6, host, address) == 1;

	ERR_clear_error();
	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->context == NULL)
	{
		set_reason(tls, "could not set up TLS: %s", openssl_reason());
		ERR_clear_error();
		return tls;
	}
	SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
	SSL_CTX_set_options(tls->context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(tls->context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(tls->context, no_password);
	SSL_CTX_set_cert_verify_callback(tls->context, verify_certificate, tls);
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_app_data(tls->context, tls);
	SSL_CTX_set_info_callback(tls->context, watch);
	if (load_trust(tls, options))
		load_identity(tls, options);
	ERR_clear_error();
	return tls;
}

/* The SSL_CTX, for libwebsockets; it belongs to tls. */
void *
ltdbp_tls_context(ltdbp_tls *tls)
{
	return tls->context;
}

/* Why there is no TLS connection; "" while nothing is wrong. */
const char *
ltdbp_tls_reason(const ltdbp_tls *tls)
{
	return tls->reason;
}

void
ltdbp_tls_free(ltdbp_tls *tls)
{
	if (tls == NULL)
		return;
	ltdbp_tls_forget(tls);
	SSL_CTX_free(tls->context);
	free(tls);
}
