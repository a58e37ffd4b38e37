import type { Admin, Kafka } from 'kafkajs'
import { classifyKafkaError } from './classify-kafka-error.ts'

/** @throws PosthornError `KAFKA_UNREACHABLE`, `KAFKA_AUTHENTICATION_FAILED` */
export const connectAdmin = async (kafka: Kafka): Promise<Admin> => {
  const admin = kafka.admin()
  try {
    await admin.connect()
    // To connect proves little: a broker that wants a login, or another one, says so at the first request.
    await admin.describeCluster()
    return admin
  } catch (error) {
    await admin.disconnect().catch(() => undefined)
    throw classifyKafkaError(error, 'connect')
  }
}

/** How many workers are in a consumer group. @throws PosthornError */
export const countMembers = async (admin: Pick<Admin, 'describeGroups'>, groupId: string): Promise<number> => {
  try {
    const { groups } = await admin.describeGroups([groupId])
    return groups[0]?.members.length ?? 0
  } catch (error) {
    throw classifyKafkaError(error, 'start')
  }
}
