// Tests without a library, by Java 17 or newer. Run: java -ea ShopTest.java
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class ShopTest {
    static final HttpClient client = HttpClient.newHttpClient();
    static Process fake;
    static String url;

    // With JUnit this is @BeforeAll, stop() is @AfterAll, and reset() is @BeforeEach.
    static void start() throws Exception {
        fake = new ProcessBuilder("couchfake", "serve", "--port", "0", "--control")
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        url = fake.inputReader().readLine();  // its URL, as soon as it answers
    }

    static void stop() {
        fake.destroy();
    }

    static void reset() throws Exception {
        ask("POST", "_couchfake/reset", "{}");
    }

    static HttpResponse<String> ask(String method, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/json")
            .method(method, BodyPublishers.ofString(body)).build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    static void aDocumentIsStored() throws Exception {
        ask("PUT", "shop", "");
        ask("PUT", "shop/tea", "{\"price\": 3}");
        assert ask("GET", "shop/tea", "").body().contains("\"price\":3");
    }

    static void everyTestBeginsWithAnEmptyServer() throws Exception {
        assert ask("GET", "shop", "").statusCode() == 404;
    }

    static void theServerIsDownForOneRequest() throws Exception {
        ask("POST", "_couchfake/faults", "{\"fault\": \"refuse\", \"status\": 503, \"path\": \"/shop\", \"times\": 1}");
        assert ask("PUT", "shop", "").statusCode() == 503;
        assert ask("PUT", "shop", "").statusCode() == 201;
    }

    public static void main(String[] arguments) throws Exception {
        start();
        try {
            reset();
            aDocumentIsStored();
            reset();
            everyTestBeginsWithAnEmptyServer();
            reset();
            theServerIsDownForOneRequest();
            System.out.println("passed");
        } finally {
            stop();
        }
    }
}
