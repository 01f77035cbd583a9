// SPDX-License-Identifier: GPL-2.0-only
/*
 * An I2C adapter for tests, with a BME280 on it: 256 registers behind address 0x76; and a VEML7700: 8 registers of 16
 * bits behind address 0x10.
 */
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/string.h>

#define ADDRESS 0x76
#define CTRL_MEAS 0xf4
#define LIGHT_ADDRESS 0x10
#define LIGHT_CONFIGURATION 0
#define LIGHT_COUNTS 4
#define LIGHT_ID 7

static bool fail;
module_param(fail, bool, 0644);
MODULE_PARM_DESC(fail, "every transfer ends with an I/O error");

static ushort light = 1000;
module_param(light, ushort, 0644);
MODULE_PARM_DESC(light, "counts of the VEML7700, whatever the gain");

static u8 registers[256];
static u8 pointer;
static u16 light_registers[8];
static u8 light_pointer;

#include "registers.h" /* calibration_first, calibration_second, measurement */

static void power_on(void)
{
	memset(registers, 0, sizeof(registers));
	memcpy(registers + 0x88, calibration_first, sizeof(calibration_first));
	memcpy(registers + 0xe1, calibration_second, sizeof(calibration_second));
	registers[0xd0] = 0x60;
	registers[0xf7] = 0x80;
	registers[0xfa] = 0x80;
	registers[0xfd] = 0x80;
	light_registers[LIGHT_CONFIGURATION] = 1;
	light_registers[LIGHT_ID] = 0xc481;
}

static void transfer_light(struct i2c_msg *m)
{
	int j;

	if (m->flags & I2C_M_RD) {
		for (j = 0; j < m->len; j++)
			m->buf[j] = light_registers[light_pointer] >> (j % 2 * 8);
	} else if (m->len) {
		light_pointer = m->buf[0] % ARRAY_SIZE(light_registers);
		if (m->len == 3 && light_pointer < LIGHT_COUNTS)
			light_registers[light_pointer] = m->buf[1] | m->buf[2] << 8;
		/* Woken, it has measured at once. */
		if (m->len == 3 && light_pointer == LIGHT_CONFIGURATION && !(m->buf[1] & 1))
			light_registers[LIGHT_COUNTS] = light;
	}
}

static void write_register(u8 at, u8 value)
{
	switch (at) {
	case 0xe0:
		if (value == 0xb6)
			power_on();
		break;
	case CTRL_MEAS:
		/* A forced measurement takes no time here: the mode falls back to sleep at once. */
		if (value & 3)
			memcpy(registers + 0xf7, measurement, sizeof(measurement));
		registers[at] = (value & 3) == 3 ? value : value & ~3;
		break;
	case 0xf2:
	case 0xf5:
		registers[at] = value;
		break;
	}
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int i, j;

	if (fail)
		return -EIO;
	for (i = 0; i < count; i++) {
		struct i2c_msg *m = &messages[i];

		if (m->addr == LIGHT_ADDRESS) {
			transfer_light(m);
			continue;
		}
		if (m->addr != ADDRESS)
			return -ENXIO;
		if (m->flags & I2C_M_RD) {
			for (j = 0; j < m->len; j++)
				m->buf[j] = registers[pointer++];
		} else if (m->len) {
			pointer = m->buf[0];
			for (j = 0; j + 1 < m->len; j += 2)
				write_register(m->buf[j], m->buf[j + 1]);
		}
	}
	return count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "bme280 test bus",
	.nr = 1,
	.algo = &algorithm,
};

static int __init bme280_bus_init(void)
{
	power_on();
	return i2c_add_numbered_adapter(&adapter);
}

static void __exit bme280_bus_exit(void)
{
	i2c_del_adapter(&adapter);
}

module_init(bme280_bus_init);
module_exit(bme280_bus_exit);
MODULE_DESCRIPTION("An I2C bus with a BME280 and a VEML7700 for tests");
MODULE_LICENSE("GPL");
