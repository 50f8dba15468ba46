// The HTTP client of the JDK, over TLS, as it speaks HTTP/2 in clear text by Upgrade only:
//
//   java Foreign.java URL REQUESTS CONCURRENCY BODY_BYTES
//
// It checks that it gets back what it sent.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

class Foreign {
    /** The server's certificate is its own. */
    static class Anybody extends X509ExtendedTrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}
        public void checkServerTrusted(X509Certificate[] chain, String type) {}
        public void checkClientTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
        public void checkServerTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
    }

    public static void main(String[] arguments) throws Exception {
        var uri = URI.create(arguments[0]);
        var requests = Integer.parseInt(arguments[1]);
        var concurrency = Integer.parseInt(arguments[2]);
        var body = new byte[Integer.parseInt(arguments[3])];
        for (var index = 0; index < body.length; index++) body[index] = (byte) ('a' + index % 7);

        var tls = SSLContext.getInstance("TLS");
        tls.init(null, new TrustManager[] {new Anybody()}, null);
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).sslContext(tls).build();
        var request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        // The first one alone, or as many connections are made as there are requests.
        var failed = new AtomicInteger(one(client, request, body) ? 0 : 1);
        var workers = Executors.newFixedThreadPool(concurrency);
        for (var index = 1; index < requests; index++) {
            workers.submit(() -> {
                if (!one(client, request, body)) failed.incrementAndGet();
            });
        }
        workers.shutdown();
        var isDone = workers.awaitTermination(150, TimeUnit.SECONDS);
        System.out.println(requests - failed.get() + " succeeded, " + failed + " failed");
        System.exit(isDone && failed.get() == 0 ? 0 : 1);
    }

    static boolean one(HttpClient client, HttpRequest request, byte[] body) {
        try {
            var response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            var isEcho = response.statusCode() == 200 && Arrays.equals(response.body(), body);
            var isHttp2 = response.version() == HttpClient.Version.HTTP_2;
            if (!isEcho || !isHttp2) {
                System.err.println("foreign: " + response.version() + " " + response.statusCode() + ", "
                        + response.body().length + " bytes instead of " + body.length);
            }
            return isEcho && isHttp2;
        } catch (Exception error) {
            System.err.println("foreign: " + error);
            return false;
        }
    }
}
