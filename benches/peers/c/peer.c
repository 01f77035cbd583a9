/* A device with Microsoft's C SDK, its lower layer (LL) used as its samples use it, options as they are by default.
 *
 * The application calls DoWork, and how often is its own choice: here every millisecond, as in the samples, until the first
 * message is acknowledged and in a burst, and every PEER_POLL_MS otherwise, so that it costs little.
 *
 * See programs.py for what the environment says, and for the lines that are printed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "azure_c_shared_utility/shared_util_options.h"
#include "azure_c_shared_utility/threadapi.h"
#include "azure_prov_client/prov_device_ll_client.h"
#include "azure_prov_client/prov_security_factory.h"
#include "azure_prov_client/prov_transport_mqtt_client.h"
#include "iothub.h"
#include "iothub_client_options.h"
#include "iothub_device_client_ll.h"
#include "iothub_message.h"
#include "iothubtransportmqtt.h"

static char *hub, *device;
static bool refused, acknowledged;
static size_t in_flight;

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "the environment lacks %s\n", name);
        exit(2);
    }
    return value;
}

static char *text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *content = calloc(1, 65536);
    if (file == NULL || content == NULL || fread(content, 1, 65535, file) == 0) {
        fprintf(stderr, "%s can't be read\n", path);
        exit(2);
    }
    fclose(file);
    return content;
}

static void say(const char *event)
{
    printf("{\"event\":\"%s\"}\n", event);
    fflush(stdout);
}

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void registered(PROV_DEVICE_RESULT result, const char *uri, const char *id, void *context)
{
    (void)context;
    if (result == PROV_DEVICE_RESULT_OK) {
        hub = strdup(uri);
        device = strdup(id);
    } else {
        refused = true;
    }
}

static void changed(IOTHUB_CLIENT_CONNECTION_STATUS status, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)reason;
    (void)context;
    say(status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED ? "up" : "down");
}

static void confirmed(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)context;
    in_flight--;
    if (result != IOTHUB_CLIENT_CONFIRMATION_OK) {
        say("failed");
    } else if (!acknowledged) {
        acknowledged = true;
        say("acknowledged");
    }
}

static void send_one(IOTHUB_DEVICE_CLIENT_LL_HANDLE client, int number)
{
    size_t size = (size_t)atoi(need("PEER_BODY"));
    int64_t now = milliseconds(CLOCK_REALTIME);
    time_t seconds = (time_t)(now / 1000);
    char stamp[32], body[4096];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", gmtime(&seconds));
    int length = snprintf(body, sizeof body, "{\"n\":%d,\"time\":\"%s.%03dZ\",\"pad\":\"", number, stamp, (int)(now % 1000));
    memset(body + length, 'x', size - (size_t)length - 2);
    memcpy(body + size - 2, "\"}", 2);
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromByteArray((const unsigned char *)body, size);
    IoTHubMessage_SetContentTypeSystemProperty(message, "application/json");
    IoTHubMessage_SetContentEncodingSystemProperty(message, "utf-8");
    in_flight++;
    if (IoTHubDeviceClient_LL_SendEventAsync(client, message, confirmed, NULL) != IOTHUB_CLIENT_OK) {
        in_flight--;
        say("failed");
    }
    IoTHubMessage_Destroy(message);
}

static void provision(const char *certificate, const char *key, const char *authority)
{
    PROV_DEVICE_LL_HANDLE client = Prov_Device_LL_Create("global.azure-devices-provisioning.net", need("PEER_ID_SCOPE"), Prov_Device_MQTT_Protocol);
    Prov_Device_LL_SetOption(client, OPTION_X509_CERT, certificate);
    Prov_Device_LL_SetOption(client, OPTION_X509_PRIVATE_KEY, key);
    Prov_Device_LL_SetOption(client, PROV_REGISTRATION_ID, need("PEER_ID"));
    Prov_Device_LL_SetOption(client, OPTION_TRUSTED_CERT, authority);
    Prov_Device_LL_Register_Device(client, registered, NULL, NULL, NULL);
    while (hub == NULL && !refused) {
        Prov_Device_LL_DoWork(client);
        ThreadAPI_Sleep(1);
    }
    Prov_Device_LL_Destroy(client);
    if (refused) {
        fprintf(stderr, "the provisioning service has refused\n");
        exit(1);
    }
}

static void every_second(IOTHUB_DEVICE_CLIENT_LL_HANDLE client)
{
    unsigned poll = (unsigned)atoi(need("PEER_POLL_MS"));
    int64_t begun = milliseconds(CLOCK_MONOTONIC);
    for (int number = 0;;) {
        if (milliseconds(CLOCK_MONOTONIC) >= begun + number * 1000) {
            send_one(client, number++);
        }
        IoTHubDeviceClient_LL_DoWork(client);
        ThreadAPI_Sleep(acknowledged ? poll : 1);
    }
}

static void burst(IOTHUB_DEVICE_CLIENT_LL_HANDLE client, int count, size_t most)
{
    int number = 0;
    char go[8];
    send_one(client, number++);
    while (in_flight > 0) {
        IoTHubDeviceClient_LL_DoWork(client);
        ThreadAPI_Sleep(1);
    }
    say("ready");
    if (fgets(go, sizeof go, stdin) == NULL) {
        exit(1);
    }
    while (number <= count || in_flight > 0) {
        while (number <= count && in_flight < most) {
            send_one(client, number++);
        }
        IoTHubDeviceClient_LL_DoWork(client);
        ThreadAPI_Sleep(1);
    }
    say("done");
    for (;;) {
        IoTHubDeviceClient_LL_DoWork(client);
        ThreadAPI_Sleep(100);
    }
}

int main(void)
{
    char *certificate = text(need("PEER_CERTIFICATE")), *key = text(need("PEER_KEY")), *authority = text(need("PEER_CA"));
    IoTHub_Init();
    prov_dev_security_init(SECURE_DEVICE_TYPE_X509);
    provision(certificate, key, authority);

    char connection[512];
    snprintf(connection, sizeof connection, "HostName=%s;DeviceId=%s;x509=true", hub, device);
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client = IoTHubDeviceClient_LL_CreateFromConnectionString(connection, MQTT_Protocol);
    IoTHubDeviceClient_LL_SetOption(client, OPTION_X509_CERT, certificate);
    IoTHubDeviceClient_LL_SetOption(client, OPTION_X509_PRIVATE_KEY, key);
    IoTHubDeviceClient_LL_SetOption(client, OPTION_TRUSTED_CERT, authority);
    bool encode = true;
    IoTHubDeviceClient_LL_SetOption(client, OPTION_AUTO_URL_ENCODE_DECODE, &encode);
    IoTHubDeviceClient_LL_SetConnectionStatusCallback(client, changed, NULL);
    if (getenv("PEER_BURST") != NULL) {
        burst(client, atoi(getenv("PEER_BURST")), (size_t)atoi(need("PEER_IN_FLIGHT")));
    } else {
        every_second(client);
    }
}
