/*-------------------------------------------------------------------------
 *
 * tls_peer.h
 *		A WebSocket server over TLS, in a process of its own, for one connection.
 *
 * It shakes hands, says that any key is right, and then does what the test
 * wants: it shares no memory with it.  The certificate is its own.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

typedef struct tls_peer
{
	int			port;
	pid_t		pid;
} tls_peer;

/* What it does once the client is authenticated. */
typedef void (*tls_behaviour) (SSL *ssl);

static SSL_CTX *
tls_peer_context(void)
{
	SSL_CTX    *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY   *key = NULL;
	X509	   *certificate = X509_new();

	EVP_PKEY_keygen_init(maker);
	EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, NID_X9_62_prime256v1);
	EVP_PKEY_keygen(maker, &key);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	SSL_CTX_use_certificate(context, certificate);
	SSL_CTX_use_PrivateKey(context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(maker);
	return context;
}

/* Answers the upgrade request, and then the first message. */
static void
tls_peer_welcome(SSL *ssl)
{
	char		request[4096] = "";
	int			len = 0;
	char	   *key;
	char		text[256];
	unsigned char digest[20];
	char		accept_key[64];
	static const char answer[] = "\x81\x0a{\"id\":\"2\"}";

	while (strstr(request, "\r\n\r\n") == NULL)
	{
		int			count = SSL_read(ssl, request + len, (int) sizeof(request) - 1 - len);

		if (count <= 0)
			_exit(1);
		len += count;
		request[len] = '\0';
	}
	key = strcasestr(request, "sec-websocket-key: ");
	snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
	lws_SHA1((unsigned char *) text, strlen(text), digest);
	lws_b64_encode_string((char *) digest, sizeof(digest), accept_key, sizeof(accept_key));
	snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept_key);
	SSL_write(ssl, text, (int) strlen(text));

	/* the api key is the second request: what is queued has an id before */
	SSL_read(ssl, request, sizeof(request));
	SSL_write(ssl, answer, (int) strlen(answer));
}

static void
tls_peer_start(tls_peer *p, tls_behaviour behave)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(listener, 4) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &len) != 0)
	{
		perror("tls_peer");
		exit(2);
	}
	p->port = ntohs(address.sin_port);
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0)
	{
		SSL_CTX    *context = tls_peer_context();
		SSL		   *ssl = SSL_new(context);

		signal(SIGPIPE, SIG_IGN);
		alarm(60);
		SSL_set_fd(ssl, accept(listener, NULL, NULL));
		if (SSL_accept(ssl) == 1)
		{
			tls_peer_welcome(ssl);
			behave(ssl);
		}
		_exit(0);
	}
	close(listener);
}

static void
tls_peer_end(tls_peer *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
}

#endif							/* TLS_PEER_H */
